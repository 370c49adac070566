// SPDX-License-Identifier: Apache-2.0

import Testing

@testable import Webhooks

@Suite struct WebhookAddressTests {
    @Test(arguments: [
        ("https://example.org", "example.org", 443), ("http://example.org/hook?x=1", "example.org", 80),
        ("HTTPS://EXAMPLE.org:8443/", "example.org", 8443), ("http://[2001:db8::1]:81/a", "2001:db8::1", 81),
        ("http://127.0.0.1:65535", "127.0.0.1", 65_535), ("https://example.org./", "example.org.", 443),
        ("https://example.org?q", "example.org", 443), ("https://a_b.example.org/%20", "a_b.example.org", 443),
    ])
    func isRead(_ text: String, _ host: String, _ port: Int) throws {
        let address = try WebhookAddress(parsing: Array(text.utf8))
        #expect(address.host == host && Int(address.port) == port && address.text == text)
    }

    @Test(arguments: [
        ("", WebhookAddress.Flaw.scheme), ("ftp://example.org", .scheme), ("example.org", .scheme),
        ("https:/example.org", .scheme), ("file:///etc/passwd", .scheme), ("https://", .host),
        ("https:///path", .host), ("https://.example.org", .host), ("https://a..b", .host), ("http://[]", .host),
        ("http://[::1", .host), ("http://exa mple.org", .characters), ("http://example.org/\r\nX: y", .characters),
        ("http://example.org/\u{0}", .characters), ("http://bücher.example", .characters),
        ("http://example.org/\\", .characters), ("http://ann:secret@example.org", .userInformation),
        ("http://ann@example.org", .userInformation), ("http://example.org:0", .port),
        ("http://example.org:65536", .port), ("http://example.org:+80", .port), ("http://example.org:", .port),
        ("http://[::1]x", .port), ("http://example.org/#part", .fragment),
        ("http://example.org/" + String(repeating: "a", count: 2048), .tooLong),
    ])
    func isRefused(_ text: String, _ flaw: WebhookAddress.Flaw) {
        #expect(throws: flaw) { try WebhookAddress(parsing: Array(text.utf8)) }
    }
}

@Suite struct WebhookHeaderTests {
    @Test(arguments: ["X-Key", "Authorization", "x!#$%&'*+.^_`|~9"]) func isTaken(_ name: String) throws {
        #expect(try WebhookHeader(checking: Array(name.utf8), Array("a b\tc".utf8)).name == name)
    }

    @Test(arguments: [
        ("", WebhookHeader.Flaw.name), ("a b", .name), ("a:", .name), ("a\r\nb", .name), ("ä", .name),
        (String(repeating: "a", count: 65), .name), ("Host", .reserved), ("content-LENGTH", .reserved),
        ("Webhook-Id", .reserved), ("webhook-x", .reserved), ("Connection", .reserved), ("TE", .reserved),
        ("Transfer-Encoding", .reserved), ("Content-Type", .reserved), ("Expect", .reserved),
        ("Proxy-Authorization", .reserved),
    ])
    func nameIsRefused(_ name: String, _ flaw: WebhookHeader.Flaw) {
        #expect(throws: flaw) { try WebhookHeader(checking: Array(name.utf8), [0x61]) }
    }

    @Test(arguments: ["a\rb", "a\nb", "a\0b", " a", "a ", "é", "\u{7f}"]) func valueIsRefused(_ value: String) {
        #expect(throws: WebhookHeader.Flaw.value) { try WebhookHeader(checking: [0x61], Array(value.utf8)) }
    }
}
