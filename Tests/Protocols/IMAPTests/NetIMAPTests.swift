// SPDX-License-Identifier: Apache-2.0

import Foundation
import TestSupport
import Testing
import Wire
import Yams

@testable import IMAP

/// The responses of net-imap's tests, each with what that client makes of it: ours makes the same, in its own shape.
///
/// What is not as there has its reason in `Disagreements.md`.
@Suite(.enabled(if: TestData.root != nil, "POSTERN_TEST_DATA is not set"))
struct NetIMAPTests {
    struct Vector: CustomTestStringConvertible, Sendable {
        let name: String
        let response: [UInt8]
        /// As ``Said`` has it; nil where reading must fail.
        let lines: [String]?
        var testDescription: String { name }
    }

    static func vectors() throws -> [Vector] {
        try TestData.files(below: "imap/net-imap/response_parser").filter { $0.pathExtension == "yml" }.flatMap {
            file in
            // A copy of the response, twice in one place.
            let yaml = try String(contentsOf: file, encoding: .utf8).replacing(
                #/\n      raw_data:.*(\n {8}.*)*/#,
                with: ""
            )
            guard let root = try Yams.compose(yaml: yaml),
                let tests = root[":tests"]?.mapping
            else { return [Vector]() }
            return tests.compactMap { key, test in
                guard let name = key.string, let response = test[":response"]?.string else { return nil }
                return Vector(
                    name: "\(file.lastPathComponent): \(name)",
                    response: Array(response.utf8),
                    lines: test[":expected"].map { Expectation.lines($0) }
                )
            }
        }
    }

    /// By a part of their names.
    static let differently: [String] = [
        "acl_responses.yml", "test_invalid_noop_response_is_ignored", "test_imaginary_status_response",
    ]

    @Test func thereAreVectors() throws { #expect(try Self.vectors().count >= 90) }

    @Test(arguments: try vectors(), Feeding.allCases)
    func response(_ vector: Vector, _ feeding: Feeding) {
        let parsed = Parsed(vector.response, feeding)
        #expect(!parsed.isIncomplete || parsed.error != nil)
        if Self.differently.contains(where: { vector.name.contains($0) }) {
            #expect(parsed.error == nil && !parsed.deviations.contains(.unreadableResponse))
            return
        }
        guard let lines = vector.lines else {
            #expect(parsed.error != nil)
            return
        }
        var ours = parsed.events.flatMap { event -> [String] in
            guard case .fetchItem(.bodyStructure(let structure)) = event else {
                if case .fetchItem(.envelope(let envelope)) = event { return [Full.envelope(envelope)] }
                return [Said.event(event)]
            }
            return Full.structure(structure)
        }
        // A message's items come in any order.
        if ours.first?.hasPrefix("FETCH") == true { ours.sort() }
        if vector.name.contains("with_various_flag_types") {
            // net-imap writes flags that it does not know with a capital letter.
            #expect(ours.map { $0.lowercased() } == lines.map { $0.lowercased() })
        } else {
            #expect(ours == lines)
        }
    }
}

/// Structures and envelopes with all that net-imap expects.
private enum Full {
    static func structure(_ structure: IMAPBodyStructure) -> [String] {
        structure.parts.map { part in
            var words = ["  \(upper(part.type))/\(upper(part.subtype))", parameters(part.parameters)]
            if part.kind != .multipart {
                words += [Said.octets(part.id), Said.octets(part.description), upper(part.encoding), "\(part.octets)"]
                words += ["lines \(part.lines.map { "\($0)" } ?? "nil")", Said.octets(part.md5)]
                if let envelope = part.envelope { words.append(self.envelope(envelope)) }
            }
            let disposition = part.disposition.map { "\(upper($0.type)) \(parameters($0.parameters))" } ?? "nil"
            words += [disposition, part.languages.map(upper).joined(separator: ","), Said.octets(part.location)]
            return words.joined(separator: " ")
        }
    }

    static func upper(_ text: [UInt8]) -> String { Said.octets(text.map(ASCII.uppercased)) }

    static func parameters(_ parameters: [IMAPParameter]) -> String {
        "[\(parameters.map { "\(upper($0.name))=\(Said.octets($0.value ?? []) as String)" }.joined(separator: ","))]"
    }

    static func envelope(_ envelope: IMAPEnvelope) -> String {
        let lists = [envelope.from, envelope.sender, envelope.replyTo, envelope.to, envelope.cc, envelope.bcc]
        let addresses = lists.map { list in
            list.map { [$0.name, $0.route, $0.mailbox, $0.host].map { Said.octets($0) }.joined(separator: " ") }
                .joined(separator: ", ")
        }
        let fields = [envelope.date, envelope.subject].map { Said.octets($0) as String } + addresses
        return "  ENVELOPE "
            + (fields + [Said.octets(envelope.inReplyTo), Said.octets(envelope.messageID)])
            .joined(separator: "|")
    }
}

/// What net-imap expects, as ``Said`` and ``Full`` have it.
private enum Expectation {
    static func lines(_ node: Node) -> [String] {
        let name = text(node["name"]) ?? ""
        let data = node["data"]
        let kind = node.tag.description
        if kind.hasSuffix("TaggedResponse"), !kind.hasSuffix("UntaggedResponse") {
            return ["\(text(node["tag"]) ?? "") \(name)\(status(data))"]
        }
        if kind.hasSuffix("ContinuationRequest") { return ["+ \(text(data?["text"]) ?? "")"] }
        switch name {
        case "OK", "NO", "BAD", "PREAUTH", "BYE": return ["* \(name)\(status(data))"]
        case "FETCH": return fetch(data)
        case "EXISTS", "RECENT", "EXPUNGE": return ["\(name) \(text(data) ?? "")"]
        case "CAPABILITY", "ENABLED": return ["\(name) (\(texts(data).joined(separator: " ")))"]
        case "SEARCH":
            let numbers = texts(data?["internal"] ?? data)
            return ["SEARCH \(numbers.joined(separator: " "))"]
        case "FLAGS": return ["FLAGS \(flags(data))"]
        case "ID":
            let pairs = data?.mapping?.map { "\(text($0.key) ?? "")=\(quoted($0.value))" } ?? []
            return ["ID \(pairs.joined(separator: " "))"]
        case "LIST", "XLIST":
            let attributes = texts(data?["attr"]).map { "\\" + $0.dropFirst() }
            return [
                "\(name.lowercased()) \(attributes.filter { $0 != "\\Inbox" }.joined(separator: " "))"
                    + " \(text(data?["delim"]) ?? "NIL") \(text(data?["name"]) ?? "")"
            ]
        case "STATUS":
            let names = [
                ("MESSAGES", "messages"), ("UIDNEXT", "uidNext"), ("HIGHESTMODSEQ", "highestModSeq"), ("SIZE", "size"),
                ("UNSEEN", "unseen"), ("UIDVALIDITY", "uidValidity"), ("DELETED", "deleted"), ("RECENT", "recent"),
            ]
            let values = names.compactMap { name, ours in text(data?["attr"]?[name]).map { " \(ours)=\($0)" } }
            return ["STATUS \(text(data?["mailbox"]) ?? "")\(values.joined())"]
        case "VANISHED":
            return ["VANISHED\(text(data?["earlier"]) == "true" ? " (EARLIER)" : "") \(set(data?["uids"]))"]
        case "ESEARCH": return [search(data)]
        case "NAMESPACE":
            return [
                "NAMESPACE " + ["personal", "other", "shared"].map { namespaces(data?[$0]) }.joined(separator: " ")
            ]
        case "QUOTA":
            return [
                "QUOTA \(text(data?["mailbox"]) ?? "") STORAGE \(text(data?["usage"]) ?? "")/\(text(data?["quota"]) ?? "")"
            ]
        case "QUOTAROOT":
            return ["QUOTAROOT \(text(data?["mailbox"]) ?? "") (\(texts(data?["quotaroots"]).joined(separator: " ")))"]
        case "THREAD": return [thread(data)]
        default: return ["? \(name)"]
        }
    }

    static func text(_ node: Node?) -> String? {
        guard let scalar = node?.scalar else { return nil }
        return scalar.style == .plain && ["", "~", "null"].contains(scalar.string) ? nil : scalar.string
    }

    static func texts(_ node: Node?) -> [String] { node?.sequence?.map { text($0) ?? "" } ?? [] }
    static func quoted(_ node: Node?) -> String { text(node).map { Said.octets(Optional(Array($0.utf8))) } ?? "NIL" }
    static func set(_ node: Node?) -> String {
        text(node?["string"] ?? node).flatMap { IMAPNumberSet(Array($0.utf8)) }.map { Said.set($0) } ?? ""
    }

    static func status(_ data: Node?) -> String {
        var words = ""
        if let code = data?["code"], code.mapping != nil { words += " [\(self.code(code))]" }
        if let text = text(data?["text"]), !text.isEmpty { words += " \(text)" }
        return words
    }

    static func code(_ code: Node) -> String {
        let name = text(code["name"]) ?? ""
        let data = code["data"]
        if data?.tag.description.hasSuffix("InvalidParseData") == true {
            return "other \(name)\(text(data?["unparsed_data"]).map { "|\($0)" } ?? "")"
        }
        switch name {
        case "PERMANENTFLAGS": return "\(name) \(flags(data))"
        case "BADCHARSET", "CAPABILITY": return "\(name) (\(texts(data).joined(separator: " ")))"
        case "APPENDUID": return "\(name) \(text(data?["uidvalidity"]) ?? "") \(set(data?["assigned_uids"]))"
        case "COPYUID":
            return
                "\(name) \(text(data?["uidvalidity"]) ?? "") \(set(data?["source_uids"])) \(set(data?["assigned_uids"]))"
        case "MODIFIED": return "\(name) \(set(data))"
        default: return name + (text(data).map { " \($0)" } ?? "")
        }
    }

    /// net-imap has system flags as Ruby's symbols, capitalised.
    static func flags(_ node: Node?) -> String {
        var flags = IMAPFlags()
        for word in texts(node) { flags.insert(Array((word.hasPrefix(":") ? "\\" + word.dropFirst() : word).utf8)) }
        return Said.flags(flags)
    }

    static func search(_ data: Node?) -> String {
        var search = IMAPExtendedSearch()
        search.tag = text(data?["tag"]).map { Array($0.utf8) }
        search.isUID = text(data?["uid"]) == "true"
        for pair in data?["data"]?.sequence ?? [] {
            guard let parts = pair.sequence, parts.count == 2 else { continue }
            let number = text(parts[1]).flatMap { UInt32($0) }
            switch text(parts[0]) {
            case "MIN": search.minimum = number
            case "MAX": search.maximum = number
            case "COUNT": search.count = number
            case "MODSEQ": search.modSeq = number.map { UInt64($0) }
            case "ALL": search.all = IMAPNumberSet(Array((text(parts[1]["string"]) ?? "").utf8))
            default:
                let first = text(parts[1]["range"]?["begin"]) ?? ""
                let last = text(parts[1]["range"]?["end"]) ?? ""
                let range = first.hasPrefix("-") ? "\(last):\(first)" : "\(first):\(last)"
                search.partial = IMAPExtendedSearch.Partial(
                    range: Array(range.utf8),
                    numbers: IMAPNumberSet(Array((text(parts[1]["results"]?["string"]) ?? "").utf8)) ?? IMAPNumberSet()
                )
            }
        }
        return Said.search(search)
    }

    static func namespaces(_ node: Node?) -> String {
        let all = node?.sequence?.map { "\(text($0["prefix"]) ?? "")|\(text($0["delim"]) ?? "NIL")" } ?? []
        return "[\(all.joined(separator: ", "))]"
    }

    /// Without recursion: members still to be written, the next one last.
    static func thread(_ data: Node?) -> String {
        var rest = (data?.sequence?.map { (0, $0) } ?? []).reversed() as [(Int, Node)]
        var members: [String] = []
        while let (level, node) = rest.popLast() {
            members.append("\(level):\(text(node["seqno"]) ?? "-")")
            rest += (node["children"]?.sequence?.map { (level + 1, $0) } ?? []).reversed()
        }
        return "THREAD \(members.joined(separator: " "))"
    }

    // MARK: FETCH

    static func fetch(_ data: Node?) -> [String] {
        var lines = ["FETCH \(text(data?["seqno"]) ?? "")", "END"]
        for (key, value) in data?["attr"]?.mapping ?? [:] {
            let name = text(key) ?? ""
            switch name {
            case "FLAGS": lines.append("  FLAGS \(flags(value))")
            case "ENVELOPE": lines.append(envelope(value))
            case "BODY", "BODYSTRUCTURE": lines += structure(value)
            case "INTERNALDATE": lines.append("  INTERNALDATE \"\(text(value) ?? "")\"")
            case "THREADID": lines.append("  THREADID \(quoted(value))")
            case _ where name.hasPrefix("BODY[") || name == "RFC822" || name == "RFC822.HEADER":
                let octets = Array((text(value) ?? "").utf8)
                lines += ["  \(name) {\(octets.count)}", "    \(Said.octets(octets) as String)", "  ."]
            default: lines.append("  \(name) \(text(value) ?? "")")
            }
        }
        return lines.sorted()
    }

    static func envelope(_ node: Node) -> String {
        let lists = ["from", "sender", "reply_to", "to", "cc", "bcc"].map { key in
            (node[key]?.sequence?.map { address in
                ["name", "route", "mailbox", "host"].map { quoted(address[$0]) }.joined(separator: " ")
            } ?? []).joined(separator: ", ")
        }
        let fields = [quoted(node["date"]), quoted(node["subject"])] + lists
        return "  ENVELOPE "
            + (fields + [quoted(node["in_reply_to"]), quoted(node["message_id"])]).joined(separator: "|")
    }

    /// Without recursion: bodies still to be written, the next one last.
    static func structure(_ root: Node) -> [String] {
        var rest = [root]
        var lines: [String] = []
        while let node = rest.popLast() {
            let isMultipart = node.tag.description.hasSuffix("Multipart")
            var words = [
                "  \(text(node["media_type"]) ?? "")/\(text(node["subtype"]) ?? "")", parameters(node["param"]),
            ]
            if !isMultipart {
                words += [
                    quoted(node["content_id"]), quoted(node["description"]),
                    (text(node["encoding"]) ?? "").uppercased(),
                ]
                words += [text(node["size"]) ?? "0", "lines \(text(node["lines"]) ?? "nil")", quoted(node["md5"])]
                if let envelope = node["envelope"], envelope.mapping != nil { words.append(self.envelope(envelope)) }
            }
            let disposition = node["disposition"].flatMap { node in
                text(node["dsp_type"]).map { "\($0.uppercased()) \(parameters(node["param"]))" }
            }
            let languages =
                node["language"]?.sequence.map { $0.map { text($0) ?? "" } } ?? [text(node["language"]) ?? ""]
            words += [disposition ?? "nil", languages.joined(separator: ",").uppercased(), quoted(node["location"])]
            lines.append(words.joined(separator: " "))
            if let body = node["body"], body.mapping != nil { rest.append(body) }
            rest += (node["parts"]?.sequence.map { Array($0) } ?? []).reversed()
        }
        return lines
    }

    static func parameters(_ node: Node?) -> String {
        "[\(node?.mapping?.map { "\((text($0.key) ?? "").uppercased())=\(text($0.value).map { Said.octets(Array($0.utf8)) as String } ?? "")" }.joined(separator: ",") ?? "")]"
    }
}
