// SPDX-License-Identifier: Apache-2.0

internal import COpenSSL
internal import Glibc

extension TLSServerContext {
    /// A certificate that vouches for itself, and its P-256 key, both in PEM: for a first start and for tests.
    ///
    /// Valid from an hour ago for `days`; good for the names and addresses given, at least one.
    package static func makeSelfSigned(
        hostnames: [String] = localHostnames,
        days: Int = 825
    ) throws(TLSConfigurationError) -> (certificatePEM: [UInt8], keyPEM: [UInt8]) {
        OpenSSLError.clear()
        let names = try hostnames.map { name throws(TLSConfigurationError) in try alternativeName(name) }
        guard let first = hostnames.first, let key = copenssl_make_p256_key(), let certificate = X509_new() else {
            throw .refused(OpenSSLError.takeReason(or: "no host name"))
        }
        defer {
            EVP_PKEY_free(key)
            X509_free(certificate)
        }
        guard describe(certificate, key, commonName: first, days: days),
            extend(certificate, names.joined(separator: ",")),
            X509_sign(certificate, key, EVP_sha256()) > 0,
            let certificatePEM = PEM.write({ PEM_write_bio_X509($0, certificate) == 1 }),
            let keyPEM = PEM.write({ PEM_write_bio_PrivateKey($0, key, nil, nil, 0, nil, nil) == 1 })
        else { throw .refused(OpenSSLError.takeReason(or: "cannot make a certificate")) }
        return (certificatePEM, keyPEM)
    }

    /// `localhost`, both loopback addresses, and this machine's name if it can stand in a certificate.
    package static var localHostnames: [String] {
        var characters = [CChar](repeating: 0, count: 256)
        gethostname(&characters, 255)
        let name = String(decoding: characters.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
        let fixed = ["localhost", "127.0.0.1", "::1"]
        return isHostname(name) && !fixed.contains(name) ? fixed + [name] : fixed
    }

    /// Letters, digits, hyphens and dots, and `*.` in front.
    ///
    /// OpenSSL reads a list in its own notation, so nothing else may pass.
    private static func isHostname(_ name: String) -> Bool {
        let rest = name.utf8.starts(with: "*.".utf8) ? name.utf8.dropFirst(2) : name.utf8[...]
        return (1...253).contains(rest.count)
            && rest.allSatisfy { $0 &- 0x30 < 10 || ($0 | 0x20) &- 0x61 < 26 || $0 == 0x2D || $0 == 0x2E }
    }

    private static func alternativeName(_ name: String) throws(TLSConfigurationError) -> String {
        var octets = [UInt8](repeating: 0, count: 16)
        if !name.utf8.contains(0), inet_pton(AF_INET, name, &octets) == 1 || inet_pton(AF_INET6, name, &octets) == 1 {
            return "IP:\(name)"
        }
        guard isHostname(name) else { throw .refused("not a host name: \(name)") }
        return "DNS:\(name)"
    }

    private static func describe(
        _ certificate: OpaquePointer,
        _ key: OpaquePointer,
        commonName: String,
        days: Int
    ) -> Bool {
        var serial = [UInt8](repeating: 0, count: 16)
        guard RAND_bytes(&serial, 16) == 1 else { return false }
        // A serial number is positive and not zero (RFC 5280 §4.1.2.2).
        serial[0] = serial[0] & 0x7F | 0x40
        guard let number = BN_bin2bn(serial, 16, nil) else { return false }
        defer { BN_free(number) }
        let name = X509_get_subject_name(certificate)
        // X520 common names are at most 64 octets; the names that count are the alternative ones.
        let common = Array(commonName.utf8.prefix(64))
        return X509_set_version(certificate, 2) == 1
            && BN_to_ASN1_INTEGER(number, X509_get_serialNumber(certificate)) != nil
            && X509_gmtime_adj(X509_getm_notBefore(certificate), -3600) != nil
            && X509_gmtime_adj(X509_getm_notAfter(certificate), days * 86_400) != nil
            && X509_set_pubkey(certificate, key) == 1
            && X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_UTF8, common, Int32(common.count), -1, 0) == 1
            && X509_set_issuer_name(certificate, name) == 1
    }

    private static func extend(_ certificate: OpaquePointer, _ alternativeNames: String) -> Bool {
        let extensions = [
            (NID_basic_constraints, "critical,CA:FALSE"), (NID_key_usage, "critical,digitalSignature"),
            (NID_ext_key_usage, "serverAuth"), (NID_subject_key_identifier, "hash"),
            (NID_subject_alt_name, alternativeNames),
        ]
        return extensions.allSatisfy { kind, value in
            var context = copenssl_self_signing(certificate)
            guard let made = X509V3_EXT_conf_nid(nil, &context, kind, value) else { return false }
            defer { X509_EXTENSION_free(made) }
            return X509_add_ext(certificate, made, -1) == 1
        }
    }
}

/// When a certificate expires.
enum CertificateExpiry {
    /// In seconds since 1970; 0 when its time is not readable.
    static func seconds(of certificate: OpaquePointer) -> Int64 {
        var fields = tm()
        guard ASN1_TIME_to_tm(X509_get0_notAfter(certificate), &fields) == 1 else { return 0 }
        return Int64(timegm(&fields))
    }
}
