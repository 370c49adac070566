// SPDX-License-Identifier: Apache-2.0

import Autoconfig
import MailTypes
import Wire

/// A file as a stranger's web server may send it, for a usual address.
///
/// What must hold: hosts are names as far as their octets say, ports are ports, user names are lines, and there are few of all.
@_cdecl("LLVMFuzzerTestOneInput")
func fuzz(_ data: UnsafePointer<UInt8>?, _ size: Int) -> CInt {
    guard let data, let address = EmailAddress("ann@example.com") else { return 0 }
    let bytes = Array(UnsafeBufferPointer(start: data, count: size))
    guard let file = try? AutoconfigFile(bytes, for: address) else { return 0 }
    precondition(file.servers.count <= AutoconfigFile.maximumServers)
    for server in file.servers {
        precondition(server.port > 0)
        precondition((1...253).contains(server.host.utf8.count))
        precondition(server.host.utf8.allSatisfy { $0 > 0x20 && $0 < 0x7F && !ASCII.isUpper($0) })
        precondition(server.username.map { !$0.utf8.contains(where: ASCII.isControl) } ?? true)
    }
    return 0
}
