// SPDX-License-Identifier: Apache-2.0

/// Something in a message that the standards do not allow or that readers take in different ways, with the reading
/// chosen here.
///
/// A defect never refuses a message and never hides a part.
package struct MIMEDefect: Hashable, Sendable {
    /// The stable names that the API shows.
    package enum Code: String, CaseIterable, Hashable, Sendable {
        /// A message begins with an mbox `From ` line: skipped.
        case mboxFromLine = "mbox_from_line"
        /// A line of a header is neither a field nor a continuation, and fields follow: skipped.
        case headerLineMalformed = "header_line_malformed"
        /// A line that cannot be of a header came without an empty line before it, and no field follows: it begins the
        /// body.
        case headerSeparatorMissing = "header_separator_missing"
        /// Header fields beyond the limit of octets or of number: not read.
        case headerTooLarge = "header_too_large"
        /// Octets above 0x7F in a header: read as UTF-8 if they are that, else as windows-1252.
        case headerEightBit = "header_eight_bit"
        /// A field that may be there once is there again: the first counts (addresses are joined).
        case headerDuplicate = "header_duplicate"
        case addressMalformed = "address_malformed"
        /// Addresses beyond the limit of one field: not read.
        case addressesTooMany = "addresses_too_many"
        case dateMalformed = "date_malformed"
        case messageIDMalformed = "message_id_malformed"
        /// Not `type/subtype`: read as text/plain.
        case contentTypeMalformed = "content_type_malformed"
        case contentTypeDuplicate = "content_type_duplicate"
        /// Parameters beyond the limit of one field: not read.
        case parametersTooMany = "parameters_too_many"
        /// Read as if nothing were encoded; `x-uuencode` too, unless it is to be decoded.
        case transferEncodingUnknown = "transfer_encoding_unknown"
        case transferEncodingDuplicate = "transfer_encoding_duplicate"
        /// A multipart says base64 or quoted-printable: ignored.
        case transferEncodingOnMultipart = "transfer_encoding_on_multipart"
        /// A message inside is encoded, which is not allowed: looked into, unless it is beyond the limits.
        case messageEncoded = "message_encoded"
        /// A multipart has no boundary parameter: one text.
        case boundaryMissing = "boundary_missing"
        /// A boundary of more than 2,048 octets: one text.
        case boundaryTooLong = "boundary_too_long"
        /// A multipart whose boundary never comes: one part.
        case boundaryNotFound = "boundary_not_found"
        /// The same boundary as that of a multipart around it: its lines belong to the inner one while that is open.
        case boundaryRepeated = "boundary_repeated"
        /// A delimiter line of this multipart goes on behind the boundary: it counts, and the rest of the line is left out.
        case boundaryTrailingText = "boundary_trailing_text"
        /// A delimiter of a multipart whose end was not marked comes behind one of this multipart around it: it delimits
        /// parts of this one.
        case boundaryStray = "boundary_stray"
        /// The end of a multipart was not marked.
        case closeDelimiterMissing = "close_delimiter_missing"
        /// Parts nested deeper than the limit: kept as one part.
        case nestingTooDeep = "nesting_too_deep"
        /// Parts beyond the limit: not read.
        case partsTooMany = "parts_too_many"
        case base64Malformed = "base64_malformed"
        case quotedPrintableMalformed = "quoted_printable_malformed"
        case uuencodeMalformed = "uuencode_malformed"
        /// Read as UTF-8 or windows-1252.
        case charsetUnknown = "charset_unknown"
        /// A text part holds a uuencoded file: left in the text.
        case uuencodedBlock = "uuencoded_block"
        /// NUL octets.
        case nulOctet = "nul_octet"
        /// The message killed the process that parsed it: stored unparsed.
        case quarantined = "quarantined"
        /// Line ends other than CRLF were turned into CRLF when the message was taken in.
        case lineEndsNormalised = "line_ends_normalised"
    }

    package let code: Code
    /// The part concerned; nil for the message as a whole.
    package let part: String?

    package init(_ code: Code, part: String? = nil) {
        self.code = code
        self.part = part
    }
}
