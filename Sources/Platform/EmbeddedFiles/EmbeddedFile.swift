// SPDX-License-Identifier: Apache-2.0

import CEmbeddedFiles

/// Files of the project that are part of the binary, as they were when it was built.
package enum EmbeddedFile {
    /// The octets of `openapi.yaml`.
    package static let openAPI = [UInt8](
        UnsafeBufferPointer(start: cembedded_openapi_octets(), count: cembedded_openapi_count())
    )
}
