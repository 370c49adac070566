// SPDX-License-Identifier: Apache-2.0

import Files
import HTTP
import Storage
import Testing

@testable import API

@Suite struct APIProblemTests {
    /// Whether it is the spool or the database that finds no room: the client hears the same.
    @Test func aFullDiskIsNoFaultOfOurs() throws {
        for code: Int32 in [28, 122, 27] {
            let problem = try #require(APIProblem(FileError(code: code, function: "write")))
            #expect(problem.status == .insufficientStorage)
            let same = try #require(APIProblem(StoreError.diskFull))
            #expect("\(problem.code)" == "\(same.code)")
        }
        #expect(APIProblem(FileError(code: 5, function: "write")) == nil)
    }
}
