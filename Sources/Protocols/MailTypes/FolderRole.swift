// SPDX-License-Identifier: Apache-2.0

/// What a folder is for (RFC 6154 and INBOX).
///
/// An account has at most one folder of each role.
public enum FolderRole: String, CaseIterable, Hashable, Sendable {
    case inbox, sent, drafts, trash, junk, archive
}
