// SPDX-License-Identifier: Apache-2.0

package import SASL
import Wire

extension SASLClientCredentials {
    /// Those that a dialogue's options ask for: `password`, `badpassword` (a line's end is in it), or `token`; nil for none.
    package init?(options: Set<String>) {
        let proof: Proof
        if options.contains("password") {
            proof = .password(Secret(Array("pencil".utf8)))
        } else if options.contains("badpassword") {
            proof = .password(Secret(Array("pen\r\ncil".utf8)))
        } else if options.contains("token") {
            proof = .bearerToken(Secret(Array("tok".utf8)))
        } else {
            return nil
        }
        self.init(authenticationID: Array("user".utf8), proof: proof)
    }
}
