// SPDX-License-Identifier: Apache-2.0

internal import CPSL

/// Under which names anybody may have a name: `com`, `co.uk` (the Public Suffix List).
package enum PublicSuffixes {
    /// The part of a host's name that somebody registered: `example.co.uk` of `mx1.example.co.uk`.
    ///
    /// Nil for a public suffix itself, and for what is none of a host's names.
    ///
    /// - Parameter name: ASCII, lower case, without a final dot.
    package static func registrableDomain(of name: String) -> String? {
        guard !name.isEmpty, name.utf8.allSatisfy({ (0x21...0x7E).contains($0) && !($0 &- 0x41 < 26) }),
            let list = psl_builtin()
        else { return nil }
        return name.withCString { name in
            // A pointer into the name.
            psl_registrable_domain(list, name).map { String(cString: $0) }
        }
    }
}
