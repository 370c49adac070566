// SPDX-License-Identifier: Apache-2.0

/// A certificate authority for tests, and one certificate that it signed, for `mail.example.test` and
/// `*.pool.example.test`, valid into the year 2126; its signature's hash is SHA-384.
package enum TestAuthority {
    package static let authorityPEM = Array(
        """
        -----BEGIN CERTIFICATE-----
        MIIBqjCCAU+gAwIBAgIUW0NjqXrGUtJ9ihpLUPQPt8z79P4wCgYIKoZIzj0EAwIw
        ITEfMB0GA1UEAwwWUG9zdGVybiB0ZXN0IGF1dGhvcml0eTAgFw0yNjExMjUwOTIz
        MjhaGA8yMTI2MTEwMTA5MjMyOFowITEfMB0GA1UEAwwWUG9zdGVybiB0ZXN0IGF1
        dGhvcml0eTBZMBMGByqGSM49AgEGCCqGSM49AwEHA0IABBCI7VBDSZcDcSRydNmT
        PPod21o+uYkWZ2+yYQHybjtfzOTIfz7A3ziL95Bxi1GYhfH97tkNBNEebwU2huCq
        1PGjYzBhMB0GA1UdDgQWBBQwOL2rAjcKiddCzzY4HTshx73iIzAfBgNVHSMEGDAW
        gBQwOL2rAjcKiddCzzY4HTshx73iIzAPBgNVHRMBAf8EBTADAQH/MA4GA1UdDwEB
        /wQEAwIBBjAKBggqhkjOPQQDAgNJADBGAiEAix5lI19M5FxH3GLA8u8Yyjn81G+I
        uk7Ebib5+ejYCyMCIQDP6f8ygynqhjlwhtkNad7tHvElCF6/zu3s7QckfZ0ntA==
        -----END CERTIFICATE-----

        """.utf8
    )
    package static let certificatePEM = Array(
        """
        -----BEGIN CERTIFICATE-----
        MIIB2DCCAX+gAwIBAgIUU8GxMxLjbP/bkEcME7vTrzuFlFwwCgYIKoZIzj0EAwMw
        ITEfMB0GA1UEAwwWUG9zdGVybiB0ZXN0IGF1dGhvcml0eTAgFw0yNjExMjUwOTIz
        MjhaGA8yMTI2MTAzMTA5MjMyOFowGjEYMBYGA1UEAwwPaWdub3JlZC5leGFtcGxl
        MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEkL/kfVJWfUq7PHqVS1AiSXWHHWL8
        37Qkz/MnEy0NoDxzqIx19NfGcJ0tHsjHca8I7xqzqJulhygrX/x9cBY7QaOBmTCB
        ljAxBgNVHREEKjAoghFtYWlsLmV4YW1wbGUudGVzdIITKi5wb29sLmV4YW1wbGUu
        dGVzdDATBgNVHSUEDDAKBggrBgEFBQcDATAMBgNVHRMBAf8EAjAAMB0GA1UdDgQW
        BBRujDmzikZBzi3H/sEp3ih6QUuhAjAfBgNVHSMEGDAWgBQwOL2rAjcKiddCzzY4
        HTshx73iIzAKBggqhkjOPQQDAwNHADBEAiAZfaQWvdIjVV/dqfcgCdLYp9sVzZWd
        1jGzFsHlFkeyLgIgapZo46QsK4G6keuzJqs0JqZak9aITC/4tVavHWLrj44=
        -----END CERTIFICATE-----

        """.utf8
    )
    package static let keyPEM = Array(
        """
        -----BEGIN PRIVATE KEY-----
        MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgovTM2zeVSIDCk3E7
        RwJOOguvyPfwp5EgVcr+y/Wfq7GhRANCAASQv+R9UlZ9Srs8epVLUCJJdYcdYvzf
        tCTP8ycTLQ2gPHOojHX018ZwnS0eyMdxrwjvGrOom6WHKCtf/H1wFjtB
        -----END PRIVATE KEY-----

        """.utf8
    )
}
