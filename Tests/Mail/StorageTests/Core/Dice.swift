// SPDX-License-Identifier: Apache-2.0

/// A small generator whose runs can be repeated.
struct Dice: RandomNumberGenerator {
    var state: UInt64

    mutating func next() -> UInt64 {
        state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
        var word = state ^ state >> 29
        word = word &* 0xBF58_476D_1CE4_E5B9
        return word ^ word >> 32
    }
}
