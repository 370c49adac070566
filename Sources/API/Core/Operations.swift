// SPDX-License-Identifier: Apache-2.0

extension API {
    /// Every operation of `openapi.yaml`; a test compares the two.
    static let operations: [Operation] = [
        GetHealth.operation, GetReadiness.operation, GetMetrics.operation, GetOpenAPI.operation,
        ListAccounts.operation, CreateAccount.operation, GetAccount.operation, UpdateAccount.operation,
        DeleteAccount.operation, DiscoverServers.operation,
        AuthorizeAccount.operation, ShowConnectPage.operation, BeginConnecting.operation, FinishConnecting.operation,
        ListTokens.operation, CreateToken.operation, GetToken.operation, RevokeToken.operation,
        ListWebhooks.operation, CreateWebhook.operation, GetWebhook.operation, UpdateWebhook.operation,
        DeleteWebhook.operation, TestWebhook.operation, ListWebhookDeliveries.operation, ReplayWebhook.operation,
        RotateWebhook.operation,
        ListFolders.operation, CreateFolder.operation, GetFolder.operation, UpdateFolder.operation,
        DeleteFolder.operation,
        ListMessages.operation, AppendMessage.operation, UpdateMessages.operation, DeleteMessages.operation,
        GetMessage.operation, UpdateMessage.operation, DeleteMessage.operation, CopyMessage.operation,
        GetRawMessage.operation, GetMessageText.operation, GetMessageHTML.operation, GetAttachment.operation,
        ListEvents.operation, ListAllEvents.operation,
        ListThreads.operation, GetThread.operation,
        SendMessage.operation, ListSubmissions.operation, GetSubmission.operation, CancelSubmission.operation,
        RetrySubmission.operation,
    ]
}
