// SPDX-License-Identifier: Apache-2.0

import Foundation
import Testing

@testable import TLS

/// A directory that goes away with its owner.
final class TemporaryDirectory {
    let url = FileManager.default.temporaryDirectory.appendingPathComponent("postern-\(UUID().uuidString)")

    init() throws { try FileManager.default.createDirectory(at: url, withIntermediateDirectories: true) }

    deinit { try? FileManager.default.removeItem(at: url) }

    func write(_ octets: [UInt8], _ name: String) throws -> String {
        let file = url.appendingPathComponent(name)
        try Data(octets).write(to: file, options: .atomic)
        return file.path
    }
}

@Suite struct TLSServerContextTests {
    private let directory: TemporaryDirectory

    init() throws { directory = try TemporaryDirectory() }

    @Test func aSelfSignedCertificateCanBeUsed() throws {
        let (certificate, key) = try TLSServerContext.makeSelfSigned(days: 825)
        let context = try TLSServerContext(certificateChainPEM: certificate, privateKeyPEM: key)
        let expected = Date().timeIntervalSince1970 + 825 * 86_400
        #expect(abs(Double(context.certificateExpiry) - expected) < 600)
    }

    @Test(arguments: ["a,IP:1.2.3.4", "", "a b", "a\0b", "é.example", String(repeating: "a", count: 254), "DNS:x"])
    func namesThatAreNoneAreRefused(_ name: String) {
        #expect(throws: TLSConfigurationError.refused("not a host name: \(name)")) {
            try TLSServerContext.makeSelfSigned(hostnames: [name])
        }
    }

    @Test func aMissingFileIsNamed() throws {
        let (certificate, _) = try TLSServerContext.makeSelfSigned()
        let path = try directory.write(certificate, "certificate.pem")
        #expect(throws: TLSConfigurationError.unreadable(path: "/nonexistent", errno: ENOENT)) {
            try TLSServerContext(certificateChainPath: path, privateKeyPath: "/nonexistent")
        }
    }

    @Test func aKeyOfAnotherCertificateIsRefused() throws {
        let certificate = try directory.write(TLSServerContext.makeSelfSigned().certificatePEM, "certificate.pem")
        let key = try directory.write(TLSServerContext.makeSelfSigned().keyPEM, "key.pem")
        #expect(throws: TLSConfigurationError.keyMismatch(certificatePath: certificate, privateKeyPath: key)) {
            try TLSServerContext(certificateChainPath: certificate, privateKeyPath: key)
        }
    }

    @Test func damagedFilesAreRefused() throws {
        let (certificate, key) = try TLSServerContext.makeSelfSigned()
        let good = (try directory.write(certificate, "c.pem"), try directory.write(key, "k.pem"))
        let cut = certificate.prefix(certificate.count / 2)
        let broken = [
            try directory.write([], "empty"), try directory.write(Array("hello".utf8), "text"),
            try directory.write(Array(cut), "cut"), try directory.write(certificate + cut, "chain-cut"),
            try directory.write(key, "swapped"),
        ]
        for path in broken {
            #expect(throws: TLSConfigurationError.badCertificate(path: path)) {
                try TLSServerContext(certificateChainPath: path, privateKeyPath: good.1)
            }
        }
        for path in [good.0, broken[0], broken[1], try directory.write(Array(key.prefix(80)), "key-cut")] {
            #expect(throws: TLSConfigurationError.badPrivateKey(path: path)) {
                try TLSServerContext(certificateChainPath: good.0, privateKeyPath: path)
            }
        }
    }

    @Test func aFailedReloadKeepsWhatWasThere() throws {
        let first = try TLSServerContext.makeSelfSigned(days: 10)
        let second = try TLSServerContext.makeSelfSigned(days: 20)
        let certificate = try directory.write(first.certificatePEM, "certificate.pem")
        let key = try directory.write(first.keyPEM, "key.pem")
        let context = try TLSServerContext(certificateChainPath: certificate, privateKeyPath: key)
        let expiry = context.certificateExpiry
        _ = try directory.write(second.certificatePEM, "certificate.pem")
        #expect(throws: TLSConfigurationError.keyMismatch(certificatePath: certificate, privateKeyPath: key)) {
            try context.reload()
        }
        #expect(context.certificateExpiry == expiry)
        _ = try directory.write(second.keyPEM, "key.pem")
        try context.reload()
        #expect(context.certificateExpiry > expiry + 9 * 86_400)
    }
}
