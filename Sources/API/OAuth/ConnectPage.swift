// SPDX-License-Identifier: Apache-2.0

import Crypto
import HTTP
import HTTPServer
import Wire

/// The pages that somebody sees who connects his mailbox: a few lines of HTML, no script, nothing from elsewhere.
enum ConnectPage {
    private static let style =
        "body{font:1.1rem/1.5 system-ui,sans-serif;max-width:32rem;margin:15vh auto;padding:0 1rem}"
        + "button{font:inherit;padding:.6rem 1.2rem}"

    private static let styleHash = String(decoding: Base64.encode(Digest.sha256(Array(style.utf8))), as: UTF8.self)

    /// Asks for the consent to go to the provider.
    static func ask(_ provider: String, _ address: String?, ticket: String) -> String {
        let whose = address.map { " <strong>\(escaped($0))</strong>" } ?? ""
        return page(
            "Connect your mailbox",
            """
            <p>\(escaped(provider)) will ask you whether this service may read and send mail of your mailbox\(whose).</p>
            <form method="post" action="/connect/\(escaped(ticket))"><button>Go on to \(escaped(provider))</button></form>
            """
        )
    }

    static func tell(_ title: String, _ sentence: String) -> String { page(title, "<p>\(escaped(sentence))</p>") }

    private static func page(_ title: String, _ content: String) -> String {
        """
        <!DOCTYPE html>
        <html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">
        <title>\(title)</title><style>\(style)</style></head>
        <body><h1>\(title)</h1>
        \(content)
        </body></html>

        """
    }

    static func escaped(_ text: String) -> String {
        text.replacing("&", with: "&amp;").replacing("<", with: "&lt;").replacing(">", with: "&gt;")
            .replacing("\"", with: "&quot;").replacing("'", with: "&#39;")
    }

    /// What keeps a page to itself.
    ///
    /// - Parameter destination: where its form may lead besides here: browsers judge redirections, too.
    static func fields(destination: String? = nil) throws -> HTTPFields {
        var fields = HTTPFields()
        let form = destination.map { " \($0)" } ?? ""
        let policy =
            "default-src 'none'; style-src 'sha256-\(styleHash)'; form-action 'self'\(form); base-uri 'none'; "
            + "frame-ancestors 'none'"
        try fields.add("Content-Security-Policy", policy.utf8)
        fields.add("X-Frame-Options", "DENY")
        fields.add("X-Content-Type-Options", "nosniff")
        fields.add("Referrer-Policy", "no-referrer")
        fields.add("Cache-Control", "no-store")
        return fields
    }
}

extension Call {
    func respond(
        page: String,
        _ status: HTTPStatus = .ok,
        destination: String? = nil,
        cookie: String? = nil
    ) async throws {
        var fields = try ConnectPage.fields(destination: destination)
        if let cookie { try fields.add("Set-Cookie", cookie.utf8) }
        try await exchange.respond(
            HTTPResponse(status, contentType: "text/html; charset=utf-8", fields: fields),
            body: ByteBuffer(Array(page.utf8))
        )
    }

    /// Sends the browser elsewhere, which does not learn where it came from.
    func redirect(to url: String, cookie: String? = nil) async throws {
        var fields = HTTPFields()
        try fields.add("Location", url.utf8)
        if let cookie { try fields.add("Set-Cookie", cookie.utf8) }
        fields.add("Referrer-Policy", "no-referrer")
        fields.add("Cache-Control", "no-store")
        try await exchange.respond(HTTPResponse(.seeOther, fields: fields))
    }

    func respondThatItIsOver() async throws {
        try await respond(
            page: ConnectPage.tell(
                "This is over",
                "Nobody waits for this any more: please begin again where you came from."
            ),
            .notFound
        )
    }
}

/// What a browser carries from our page to the end of an authorization, so that nobody else's browser can bring it there.
struct ConnectCookie {
    private let name: String
    private let attributes: String

    init(publicURL: String) {
        let isTLS = publicURL.hasPrefix("https://")
        // `__Host-`: set by this host, over TLS, for all its paths (RFC 6265bis §4.1.3.2).
        name = isTLS ? "__Host-postern-connect" : "postern-connect"
        attributes = "; Path=/; Max-Age=600; HttpOnly; SameSite=Lax\(isTLS ? "; Secure" : "")"
    }

    /// ```
    /// cookie-string = cookie-pair *( ";" SP cookie-pair )        ; RFC 6265 §4.2.1
    /// ```
    func values(_ fields: HTTPFields) -> [[UInt8]] {
        let prefix = Array("\(name)=".utf8)
        return fields.all("Cookie").flatMap { $0.split(separator: ASCII.semicolon) }.compactMap { pair in
            let pair = pair.drop(while: ASCII.isBlank)
            guard pair.starts(with: prefix), pair.count == prefix.count + 43 else { return nil }
            return Array(pair.dropFirst(prefix.count))
        }
    }

    func setting(_ value: [UInt8]) -> String { "\(name)=\(String(decoding: value, as: UTF8.self))\(attributes)" }
}
