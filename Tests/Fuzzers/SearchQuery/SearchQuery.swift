// SPDX-License-Identifier: Apache-2.0

import Storage
import Wire

/// Any octets are a query or a precise refusal, and what was understood is well-formed.
@_cdecl("LLVMFuzzerTestOneInput")
func fuzz(_ data: UnsafePointer<UInt8>?, _ size: Int) -> CInt {
    let text = [UInt8](UnsafeBufferPointer(start: data, count: size))
    do throws(SearchQueryError) {
        let query = try SearchQuery(parsing: text.span)
        var operands = 0
        var terms = 0
        for step in query.steps {
            switch step {
            case .term:
                operands += 1
                terms += 1
            case .not: precondition(operands >= 1)
            case .all(let count), .any(let count):
                precondition(count >= 2 && operands >= count)
                operands -= count - 1
            }
        }
        precondition(operands == (query.isEmpty ? 0 : 1) && terms <= SearchQuery.maximumTerms)
    } catch {
        precondition(error.offset >= 0 && (error.offset <= text.count) && !error.description.isEmpty)
    }
    return 0
}
