// SPDX-License-Identifier: Apache-2.0

/// Something that a mail server should not do, and that some server has been seen to do or an attacker might.
package enum Misbehaviour: String, CaseIterable, Sendable {
    // MARK: Any connection
    case closesAtOnce = "closes-at-once"
    case saysNothing = "says-nothing"
    case drips
    case greetsWithoutEnd = "greets-without-end"
    case speaksHTTP = "speaks-http"
    case sendsZeros = "sends-zeros"
    case greetsWithRefusal = "greets-with-refusal"
    case cutsAfterLogin = "cuts-after-login"
    case cutsNowAndThen = "cuts-now-and-then"
    case stopsAnswering = "stops-answering"

    // MARK: TLS and logging in
    case lacksStartTLS = "lacks-starttls"
    case refusesStartTLS = "refuses-starttls"
    case injectsBehindStartTLS = "injects-behind-starttls"
    case answersStartTLSInClear = "answers-starttls-in-clear"
    case greetsPreauthenticated = "greets-preauthenticated"
    case refusesLogin = "refuses-login"
    case isUnavailableAtLogin = "is-unavailable-at-login"
    case hasTooManyConnections = "has-too-many-connections"
    case hangsAtLogin = "hangs-at-login"
    case challengesWithoutEnd = "challenges-without-end"
    case offersNoMechanism = "offers-no-mechanism"

    // MARK: Answers of any kind
    case announcesWithoutEnd = "announces-without-end"
    case floodsBetweenAnswers = "floods-between-answers"
    case answersWithOtherTags = "answers-with-other-tags"
    case answersTwice = "answers-twice"
    case sendsNUL = "sends-nul"
    case endsLinesWithLF = "ends-lines-with-lf"
    case saysByeAmidst = "says-bye-amidst"
    case saysBadToAll = "says-bad-to-all"

    // MARK: Folders
    case listsWithoutEnd = "lists-without-end"
    case listsNothing = "lists-nothing"
    case listsHostileNames = "lists-hostile-names"
    case listsDeepFolders = "lists-deep-folders"
    case refusesStatus = "refuses-status"
    case tellsWrongStatus = "tells-wrong-status"
    case refusesSelect = "refuses-select"
    case lacksUIDValidity = "lacks-uidvalidity"
    case flipsUIDValidity = "flips-uidvalidity"
    case lacksUIDNext = "lacks-uidnext"
    case dropsUIDNext = "drops-uidnext"
    case tellsHugeExists = "tells-huge-exists"

    // MARK: Messages
    case findsNothing = "finds-nothing"
    case findsWithoutEnd = "finds-without-end"
    case findsBackwards = "finds-backwards"
    case tellsWrongSizes = "tells-wrong-sizes"
    case lacksUIDsInFetch = "lacks-uids-in-fetch"
    case fetchesTwice = "fetches-twice"
    case fetchesUnasked = "fetches-unasked"
    case fetchesWithoutEnd = "fetches-without-end"
    case announcesHugeLiteral = "announces-huge-literal"
    case announcesOverflowingLiteral = "announces-overflowing-literal"
    case cutsInLiteral = "cuts-in-literal"
    case nestsStructureDeeply = "nests-structure-deeply"
    case lacksStructure = "lacks-structure"
    case tellsManyFlags = "tells-many-flags"
    case tellsImpossibleDates = "tells-impossible-dates"
    case refusesFetch = "refuses-fetch"
    case changesOctets = "changes-octets"
    case forgetsMessages = "forgets-messages"

    // MARK: Changes and watching
    case ignoresStore = "ignores-store"
    case refusesStore = "refuses-store"
    case onlyPretendsToMove = "only-pretends-to-move"
    case tellsWrongCopyUIDs = "tells-wrong-copy-uids"
    case refusesAppend = "refuses-append"
    case isOverQuota = "is-over-quota"
    case hangsInAppend = "hangs-in-append"
    case refusesIdle = "refuses-idle"
    case floodsIdle = "floods-idle"
    case hangsInIdle = "hangs-in-idle"

    // MARK: Taking mail
    case defersRecipients = "defers-recipients"
    case refusesRecipients = "refuses-recipients"
    case hangsAfterData = "hangs-after-data"
    case cutsAfterData = "cuts-after-data"
    case defersData = "defers-data"
    case closesWhileSent = "closes-while-sent"

    // MARK: A maildrop
    case lacksUIDL = "lacks-uidl"
    case repeatsUIDL = "repeats-uidl"
    case isLocked = "is-locked"
    case refusesRetrieval = "refuses-retrieval"
    case sendsWithoutEnd = "sends-without-end"
    case hangsInQuit = "hangs-in-quit"

    /// Of which servers it is.
    package var services: Set<SimulatedServer.Service> {
        switch self {
        case .closesAtOnce, .saysNothing, .drips, .greetsWithoutEnd, .speaksHTTP, .sendsZeros, .greetsWithRefusal,
            .cutsAfterLogin, .cutsNowAndThen, .stopsAnswering, .lacksStartTLS, .refusesStartTLS, .injectsBehindStartTLS,
            .answersStartTLSInClear, .refusesLogin, .isUnavailableAtLogin, .hasTooManyConnections, .hangsAtLogin,
            .offersNoMechanism, .announcesWithoutEnd, .floodsBetweenAnswers, .sendsNUL, .endsLinesWithLF,
            .saysByeAmidst, .saysBadToAll:
            [.imap, .pop3, .smtp]
        case .challengesWithoutEnd, .isOverQuota: [.imap, .smtp]
        case .tellsWrongSizes, .cutsInLiteral, .changesOctets, .forgetsMessages: [.imap, .pop3]
        case .defersRecipients, .refusesRecipients, .hangsAfterData, .cutsAfterData, .defersData, .closesWhileSent:
            [.smtp]
        case .lacksUIDL, .repeatsUIDL, .isLocked, .refusesRetrieval, .sendsWithoutEnd: [.pop3]
        case .hangsInQuit: [.pop3, .smtp]
        default: [.imap]
        }
    }

    /// For people who choose.
    package var summary: String {
        switch self {
        case .closesAtOnce: "closes each connection without a word"
        case .saysNothing: "accepts, and says nothing"
        case .drips: "sends one octet every 200 ms"
        case .greetsWithoutEnd: "greets with a line that never ends"
        case .speaksHTTP: "greets as a web server"
        case .sendsZeros: "sends zeros without end"
        case .greetsWithRefusal: "greets with BYE, 421 or -ERR"
        case .cutsAfterLogin: "closes the connection when it has logged in"
        case .cutsNowAndThen: "closes the connection at every seventh command"
        case .stopsAnswering: "answers nothing behind the login"
        case .lacksStartTLS: "does not offer STARTTLS"
        case .refusesStartTLS: "offers STARTTLS, and refuses it"
        case .injectsBehindStartTLS: "sends more behind its answer to STARTTLS"
        case .answersStartTLSInClear: "goes on in the clear behind STARTTLS"
        case .greetsPreauthenticated: "greets with PREAUTH"
        case .refusesLogin: "takes no password"
        case .isUnavailableAtLogin: "says that logging in is not possible just now"
        case .hasTooManyConnections: "says that there are too many connections"
        case .hangsAtLogin: "answers no login"
        case .challengesWithoutEnd: "answers each SASL response with another challenge"
        case .offersNoMechanism: "offers no way to log in"
        case .announcesWithoutEnd: "lists capabilities without end"
        case .floodsBetweenAnswers: "sends untagged rubbish without end before each answer"
        case .answersWithOtherTags: "answers with tags that nobody used"
        case .answersTwice: "completes each command twice"
        case .sendsNUL: "has NUL in its answers"
        case .endsLinesWithLF: "ends its lines with LF alone"
        case .saysByeAmidst: "says BYE in the middle of an answer"
        case .saysBadToAll: "understands no command behind the login"
        case .listsWithoutEnd: "lists folders without end"
        case .listsNothing: "lists no folder, and says OK"
        case .listsHostileNames: "lists names with CR LF, NUL, dots, slashes and wrong encodings"
        case .listsDeepFolders: "lists a folder 2,000 levels deep"
        case .refusesStatus: "refuses STATUS"
        case .tellsWrongStatus: "tells numbers in STATUS that cannot be"
        case .refusesSelect: "refuses SELECT of all but INBOX"
        case .lacksUIDValidity: "tells no UIDVALIDITY"
        case .flipsUIDValidity: "has another UIDVALIDITY at each SELECT"
        case .lacksUIDNext: "tells no UIDNEXT"
        case .dropsUIDNext: "has a lower UIDNEXT at each SELECT"
        case .tellsHugeExists: "says that there are 4,294,967,295 messages"
        case .findsNothing: "finds nothing, whatever is searched for"
        case .findsWithoutEnd: "finds UIDs without end"
        case .findsBackwards: "tells what it finds twice, the last first"
        case .tellsWrongSizes: "tells sizes that are not the messages'"
        case .lacksUIDsInFetch: "leaves UID out of what was fetched"
        case .fetchesTwice: "tells of each message twice, differently"
        case .fetchesUnasked: "tells of messages that nobody asked for, without end"
        case .fetchesWithoutEnd: "tells of a message that was asked for again and again, without end"
        case .announcesHugeLiteral: "announces a literal of 4 GiB"
        case .announcesOverflowingLiteral: "announces a literal of more octets than a number holds"
        case .cutsInLiteral: "closes the connection within a literal"
        case .nestsStructureDeeply: "tells a structure 100,000 levels deep"
        case .lacksStructure: "tells NIL for a structure"
        case .tellsManyFlags: "tells 100,000 flags of one message"
        case .tellsImpossibleDates: "tells dates that cannot be"
        case .refusesFetch: "refuses each FETCH"
        case .changesOctets: "has other octets in a message each time"
        case .forgetsMessages: "has every second message at every second SELECT"
        case .ignoresStore: "answers STORE with OK, and changes nothing"
        case .refusesStore: "refuses STORE"
        case .onlyPretendsToMove: "answers MOVE and COPY with OK, and does nothing"
        case .tellsWrongCopyUIDs: "tells UIDs of copies that are not theirs"
        case .refusesAppend: "refuses APPEND"
        case .isOverQuota: "has no room for what is appended or sent"
        case .hangsInAppend: "never asks for the literal of APPEND"
        case .refusesIdle: "refuses IDLE"
        case .floodsIdle: "sends news without end while idling"
        case .hangsInIdle: "does not answer DONE"
        case .defersRecipients: "answers each recipient with 450 at first"
        case .refusesRecipients: "answers each recipient with 550"
        case .hangsAfterData: "never answers the end of a message"
        case .cutsAfterData: "closes the connection where the answer to a message should be"
        case .defersData: "answers each message with 451"
        case .closesWhileSent: "answers 421 and closes while the message is sent"
        case .lacksUIDL: "does not know UIDL"
        case .repeatsUIDL: "has one unique-id for all messages"
        case .isLocked: "says that the maildrop is in use"
        case .refusesRetrieval: "refuses RETR of the first message"
        case .sendsWithoutEnd: "sends messages without end"
        case .hangsInQuit: "does not answer QUIT"
        }
    }
}
