/**
 * Where we differ from Dovecot, and why. An exchange is named by its user and line; with it stands what only we and what only Dovecot
 * said. What is not here must be the same on both sides.
 */
export interface Differences {
  readonly why: string;
  readonly exchanges: Readonly<Record<string, readonly [ours: string, theirs: string]>>;
}

export const DIFFERENCES: readonly Differences[] = [
  {
    why: 'Between two arguments stands one space, and none inside parentheses or behind the verb (RFC 9051 section 9: the rules must be followed strictly): Dovecot passes over more, and over those that are missing',
    exchanges: {
      'patterns a: LIST  "" w%': ['BAD', 'LIST (\\HasChildren) "work" | OK'],
      'patterns a: LIST ""  w%': ['BAD', 'LIST (\\HasChildren) "work" | OK'],
      'patterns a: LIST ( SUBSCRIBED) "" "w*"': ['BAD', 'LIST (\\Subscribed) "work/2024/spring" | OK'],
      'patterns a: LIST (SUBSCRIBED ) "" "w*"': ['BAD', 'LIST (\\Subscribed) "work/2024/spring" | OK'],
      'patterns a: LIST (SUBSCRIBED)"" "w*"': ['BAD', 'LIST (\\Subscribed) "work/2024/spring" | OK'],
      'status a: STATUS INBOX (MESSAGES )': ['BAD', 'STATUS "INBOX" (MESSAGES 3) | OK'],
      'status a: STATUS INBOX ( MESSAGES)': ['BAD', 'STATUS "INBOX" (MESSAGES 3) | OK'],
      'status a: STATUS INBOX (MESSAGES  UNSEEN)': ['BAD', 'STATUS "INBOX" (MESSAGES 3 UNSEEN 2) | OK'],
      'flags a: STORE 2 +FLAGS ( word)': ['BAD', '2 FETCH (FLAGS (+x , NIL NonJunk br[acket semi;colon:dot. two word words)) | OK'],
      'flags a: STORE 2 +FLAGS (word )': ['BAD', 'OK'],
      'flags a: STORE 2 +FLAGS (word  NIL)': ['BAD', 'OK'],
      'appending b> x APPEND INBOX  {20+}\r\nSubject: x\r\n\r\nbody\r\n\r\n': ['x BAD', 'x OK [APPENDUID]'],
      'lines a> x STATUS "INBOX"(MESSAGES)\r\n': ['x BAD', 'STATUS "INBOX" (MESSAGES 0) | x OK'],
      'fetching a: FETCH 1 ( UID)': ['BAD', '1 FETCH (UID 1) | OK'],
      'fetching a: FETCH 1 (UID )': ['BAD', '1 FETCH (UID 1) | OK'],
      'fetching a: FETCH 1 (UID  FLAGS)': ['BAD', '1 FETCH (UID 1 FLAGS ()) | OK'],
      'fetching a: FETCH 1 BODY.PEEK[HEADER.FIELDS (Subject )]': ['BAD', '1 FETCH (BODY[HEADER.FIELDS (SUBJECT)] {14}\nSubject: x\r\n\r\n) | OK'],
      'searching a: SEARCH  ALL': ['BAD', 'SEARCH 1 2 3 | OK'],
      'searching a: SEARCH ( ALL)': ['BAD', 'SEARCH 1 2 3 | OK'],
      'searching a: SEARCH (ALL )': ['BAD', 'SEARCH 1 2 3 | OK'],
    },
  },
  {
    why: 'Arguments that a command does not have make it BAD (RFC 9051 section 9); Dovecot passes over them, and over some that are missing',
    exchanges: {
      'creation a: CREATE spec5 ()': ['BAD', 'OK'],
      'creation a: CREATE spec6 (NONSENSE)': ['BAD', 'OK'],
      'creation a: CREATE spec7 (USE \\Sent)': ['BAD', 'OK'],
      'creation a: CREATE a b': ['BAD', 'OK'],
      'renaming a: RENAME one two three': ['BAD', 'NO [NONEXISTENT]'],
      'patterns a: LIST "" ()': ['BAD', 'OK'],
      'patterns a: LSUB "" (work)': ['BAD', 'LSUB () "work" ("CHILDINFO" ("SUBSCRIBED")) | OK'],
      'patterns a: NAMESPACE x': ['BAD', 'NAMESPACE | OK'],
      'status a: STATUS INBOX (MESSAGES) x': ['BAD', 'STATUS "INBOX" (MESSAGES 3) | OK'],
      'selection a: SELECT a b': ['BAD', 'NO'],
      'selection a: SELECT INBOX ()': [
        'BAD',
        'FLAGS (\\Answered \\Deleted \\Draft \\Flagged \\Seen word) | * OK [PERMANENTFLAGS (\\* \\Answered \\Deleted \\Draft \\Flagged \\Seen word)] | 3 EXISTS | * OK [UIDVALIDITY] | * OK [UIDNEXT 4] | OK [READ-WRITE]',
      ],
      'selection a: CHECK x': ['BAD', 'OK'],
      'selection b: CLOSE x': ['BAD', 'OK'],
      'selection a: LOGOUT x': ['BAD', '* BYE | OK'],
      'sets a: COPY 1 2 Trash': ['BAD', 'NO [TRYCREATE]'],
      'flags a: STORE 2 +FLAGS': ['BAD', 'OK'],
      'flags a: EXPUNGE x': ['BAD', 'OK'],
      'lines a> x NOOP x\r\n': ['x BAD', 'x OK'],
      'lines a> x ID ("name" "me") x\r\n': ['x BAD', 'ID | x OK'],
      'lines a> x ENABLE\r\n': ['x BAD', 'x OK'],
      'lines a> x IDLE x\r\nDONE\r\n': ['x BAD | DONE BAD', '+ | x OK'],
      'lines a> x CAPABILITY x\r\n': ['x BAD', 'CAPABILITY | x OK'],
      'lines a> x STATUS INBOX (MESSAGES))\r\n': ['x BAD', 'STATUS "INBOX" (MESSAGES 0) | x OK'],
      'lines a> x SUBSCRIBE {3}\r\nabc x\r\n': ['x BAD', 'x OK'],
      'fetching a: FETCH 1 UID ()': ['BAD', '1 FETCH (UID 1) | OK'],
    },
  },
  {
    why: 'ID is NIL or a list of pairs of strings, the values nstrings (RFC 2971 section 3.1)',
    exchanges: {
      'lines a> x ID\r\n': ['x BAD', 'ID | x OK'],
      'lines a> x ID ("name")\r\n': ['x BAD', 'ID | x OK'],
      'lines a> x ID ("name" "me" "version")\r\n': ['x BAD', 'ID | x OK'],
      'lines a> x ID (name me)\r\n': ['x BAD', 'ID | x OK'],
      'lines a> x ID (NIL "me")\r\n': ['x BAD', 'ID | x OK'],
      'lines a> x ID "name"\r\n': ['x BAD', 'ID | x OK'],
    },
  },
  {
    why: 'LOGOUT came a line earlier there',
    exchanges: {
      'selection a: LOGOUT': ['* BYE | OK', '(closed)'],
    },
  },
  {
    why: 'Wildcards, quoted strings and backslashes stand only where the grammar has them (RFC 9051 section 9): the command is BAD, not the name or the keyword refused',
    exchanges: {
      'creation a: CREATE a*c': ['BAD', 'OK'],
      'deletion a: DELETE *': ['BAD', 'NO [NONEXISTENT]'],
      'patterns a: LIST "" "\\w%"': ['BAD', 'LIST (\\HasChildren) "work" | OK'],
      'sets a: COPY 1, Trash': ['BAD', 'OK [COPYUID 1]'],
      'sets a: COPY "1" Trash': ['BAD', 'OK [COPYUID 1]'],
      'flags a: STORE 2 +FLAGS (br]acket)': ['BAD', 'NO [CANNOT]'],
      'flags a: STORE 2 +FLAGS (st*ar)': ['BAD', 'NO [CANNOT]'],
      'flags a: STORE 2 +FLAGS (per%cent)': ['BAD', 'NO [CANNOT]'],
      'flags a: STORE 2 +FLAGS (back\\slash)': ['BAD', 'NO [CANNOT]'],
      'lines a> x STATUS {6+}\r\nIN\x00BOX (MESSAGES)\r\n': ['x BAD', 'x NO'],
      'lines a> x STATUS "IN\\BOX" (MESSAGES)\r\n': ['x BAD', 'STATUS "INBOX" (MESSAGES 0) | x OK'],
      'searching a: SEARCH SUBJECT *': ['BAD', 'SEARCH | OK'],
      'searching a: SEARCH KEYWORD "word"': ['BAD', 'SEARCH 2 | OK'],
      'searching a: SEARCH KEYWORD \\Seen': ['BAD', 'SEARCH | OK'],
    },
  },
  {
    why: 'Message numbers beyond the last, and "*" where there is none, name nothing: a client is not punished for what it could not know yet (README of access/imap)',
    exchanges: {
      'sets a: COPY 6 Trash': ['OK', 'BAD'],
      'sets a: COPY 6:* Trash': ['OK [COPYUID 5]', 'BAD'],
      'sets a: COPY 4:6 Trash': ['OK [COPYUID 4:5]', 'BAD'],
      'sets a: COPY 4294967295 Trash': ['OK', 'BAD'],
      'sets a: MOVE 99 Trash': ['OK', 'BAD'],
      'sets a: COPY 1 Trash #3': ['OK', 'BAD'],
      'sets a: COPY * Trash #2': ['OK', 'BAD'],
      'sets a: COPY 1:* Trash': ['OK', 'BAD'],
      'sets a: FETCH 1 FLAGS': ['OK', 'BAD'],
      'sets a: FETCH * FLAGS': ['OK', 'BAD'],
      'sets a: FETCH 1:* FLAGS': ['OK', 'BAD'],
      'sets a: STORE 1 +FLAGS (\\Seen)': ['OK', 'BAD'],
      'sets a: STORE * +FLAGS (\\Seen)': ['OK', 'BAD'],
      'flags a: STORE 9 +FLAGS (\\Seen)': ['OK', 'BAD'],
      'flags a: STORE 4:9 +FLAGS (\\Seen)': ['4 FETCH (FLAGS (\\Seen)) | OK', 'BAD'],
      'fetching a: FETCH 4 UID': ['OK', 'BAD'],
      'fetching a: FETCH 3:5 UID': ['3 FETCH (UID 3) | OK', 'BAD'],
      'fetching a: FETCH 5:3 UID': ['3 FETCH (UID 3) | OK', 'BAD'],
      'fetching a: FETCH 1:4294967295 UID': ['1 FETCH (UID 1) | 2 FETCH (UID 2) | 3 FETCH (UID 3) | OK', 'BAD'],
    },
  },
  {
    why: 'Seen from RFC 3501 \\Recent cannot be set; clients copy it from what they fetched, and it is dropped',
    exchanges: {
      'flags a: STORE 1 +FLAGS (\\Recent)': ['1 FETCH (FLAGS (\\Seen)) | OK', 'BAD'],
      'flags a: STORE 1 FLAGS (\\Recent)': ['1 FETCH (FLAGS ()) | OK', 'BAD'],
      'appending b> x APPEND inbox (\\Seen \\Recent) {20+}\r\nSubject: x\r\n\r\nbody\r\n\r\n': [
        'x OK [APPENDUID]',
        'x BAD | Subject: BAD | * BAD | body BAD | * BAD',
      ],
    },
  },
  {
    why: 'STORE without .SILENT answers with the flags, changed or not (RFC 9051 section 6.4.6)',
    exchanges: {
      'flags a: STORE 1 +FLAGS ()': ['1 FETCH (FLAGS ())', ''],
      'flags a: STORE 1 -FLAGS ()': ['1 FETCH (FLAGS ())', ''],
      'flags a: STORE 1 +FLAGS (WORD)': ['1 FETCH (FLAGS (\\Seen word))', ''],
      'flags a: UID STORE 4:9 -FLAGS (\\Seen)': ['4 FETCH (UID 4 FLAGS ())', ''],
    },
  },
  {
    why: 'A literal that belongs to a refused command is read and dropped (RFC 7888 section 4): Dovecot takes it for commands',
    exchanges: {
      'appending b> x APPEND INBOX (\\Nonsense) {20+}\r\nSubject: x\r\n\r\nbody\r\n\r\n': ['', 'Subject: BAD | * BAD | body BAD | * BAD'],
      'appending b> x APPEND INBOX (word "quoted") {20+}\r\nSubject: x\r\n\r\nbody\r\n\r\n': ['', 'Subject: BAD | * BAD | body BAD | * BAD'],
      'appending b> x APPEND INBOX \\Seen {20+}\r\nSubject: x\r\n\r\nbody\r\n\r\n': ['', '* BAD | body BAD | * BAD'],
      'appending b> x APPEND INBOX "17-Foo-1996 02:44:25 +0000" {20+}\r\nSubject: x\r\n\r\nbody\r\n\r\n': ['', 'Subject: BAD | * BAD | body BAD | * BAD'],
      'appending b> x APPEND INBOX "" {20+}\r\nSubject: x\r\n\r\nbody\r\n\r\n': ['', 'Subject: BAD | * BAD | body BAD | * BAD'],
      'appending b> x APPEND INBOX NIL {20+}\r\nSubject: x\r\n\r\nbody\r\n\r\n': ['', '* BAD | body BAD | * BAD'],
      'appending b> x APPEND INBOX () "17-Jul-1996 02:44:25 -0700" x {20+}\r\nSubject: x\r\n\r\nbody\r\n\r\n': ['', '* BAD | body BAD | * BAD'],
      'lines a> x {4+}\r\nNOOP\r\n': ['', 'NOOP BAD'],
      'lines a> x STATUS ~{5+}\r\nINBOX (MESSAGES)\r\n': ['', 'INBOX BAD'],
    },
  },
  {
    why: 'A date that is none, or a zone by name, is BAD: the day a client meant cannot be known',
    exchanges: {
      'appending b> x APPEND INBOX "17-Jul-1996 02:44:25 UTC" {20+}\r\nSubject: x\r\n\r\nbody\r\n\r\n': ['x BAD', 'x OK [APPENDUID]'],
      'appending b> x APPEND INBOX "31-Feb-2020 02:44:25 +0000" {20+}\r\nSubject: x\r\n\r\nbody\r\n\r\n': ['x BAD', 'x OK [APPENDUID]'],
      'appending b> x APPEND INBOX "17-Jul-1996 25:44:25 +0000" {20+}\r\nSubject: x\r\n\r\nbody\r\n\r\n': ['x BAD', 'x OK [APPENDUID]'],
      'searching a: SEARCH SINCE " 1-Jan-2000"': ['BAD', 'SEARCH 1 2 3 | OK'],
      'searching a: SEARCH SINCE 32-Jan-2000': ['BAD', 'SEARCH 1 2 3 | OK'],
      'searching a: SEARCH SINCE 30-Feb-2000': ['BAD', 'SEARCH 1 2 3 | OK'],
    },
  },
  {
    why: 'Names are not paths: nothing in them is special but the hierarchy separator',
    exchanges: {
      'creation a: CREATE ..': ['OK', 'NO [CANNOT]'],
      'creation a: CREATE ../../up': ['OK', 'NO [CANNOT]'],
      'creation a: CREATE x/../y': ['OK', 'NO [CANNOT]'],
      'creation a: CREATE ~tilde': ['OK', 'NO [CANNOT]'],
      'renaming a: RENAME V v/w/..': ['OK', 'NO [CANNOT]'],
    },
  },
  {
    why: 'A "&" that begins no modified UTF-7 stands for itself: clients in UTF8=ACCEPT leave it bare (Thunderbird does)',
    exchanges: {
      'creation a: CREATE "R&D"': ['OK', 'NO'],
      'creation a: CREATE "R&-D"': ['NO [ALREADYEXISTS]', 'OK'],
      'creation a: CREATE "&AGE-bc"': ['OK', 'NO'],
      'creation a: CREATE "&broken"': ['OK', 'NO'],
      'creation a: CREATE "&2D0-"': ['OK', 'NO'],
      'creation a: CREATE "tail&"': ['OK', 'NO'],
    },
  },
  {
    why: 'A separator at the end of a name is passed over: Thunderbird may add one',
    exchanges: {
      'deletion a: DELETE d/': ['OK', 'NO [CANNOT]'],
      'deletion a: DELETE d/e/': ['OK', 'NO [CANNOT]'],
      'deletion a: LIST "" d* #2': ['LIST (\\HasNoChildren \\Noselect) "d"', 'LIST (\\HasChildren \\Noselect) "d" | LIST (\\HasNoChildren) "d/e"'],
      'renaming a: RENAME V W/': ['OK', 'NO [CANNOT]'],
      'renaming a: RENAME W/ V': ['OK', 'NO [CANNOT]'],
      'status a: STATUS Sent/ (MESSAGES)': ['STATUS "Sent" (MESSAGES 0) | OK', 'NO [CANNOT]'],
    },
  },
  {
    why: 'Parents are made mailboxes, so that what is seen can be opened; Dovecot makes names only',
    exchanges: {
      'creation a: LIST "" tree': ['LIST (\\HasNoChildren) "tree"', 'LIST (\\HasNoChildren \\Noselect) "tree"'],
      'creation a: LIST "" "deep*"': [
        'LIST (\\HasChildren) "deep" | LIST (\\HasChildren) "deep/er"',
        'LIST (\\HasChildren \\Noselect) "deep" | LIST (\\HasChildren \\Noselect) "deep/er"',
      ],
      'creation a: CREATE deep/er': ['NO [ALREADYEXISTS]', 'OK'],
      'creation a: CREATE deep': ['NO [ALREADYEXISTS]', 'OK'],
      'creation a: LIST "" "*" #2': [
        'LIST (\\HasChildren) ".." | LIST (\\HasChildren) "../.." | LIST (\\HasChildren) "l0" | LIST (\\HasChildren) "l0/l1" | LIST (\\HasChildren) "l0/l1/l2" | LIST (\\HasChildren) "tree" | LIST (\\HasChildren) "x" | LIST (\\HasChildren) "x/.." | LIST (\\HasNoChildren) "&-2D0-" | LIST (\\HasNoChildren) "&-AGE-bc" | LIST (\\HasNoChildren) "&-broken" | LIST (\\HasNoChildren) "../../up" | LIST (\\HasNoChildren) "tail&-" | LIST (\\HasNoChildren) "x/../y" | LIST (\\HasNoChildren) "~tilde"',
        'LIST (\\HasChildren \\Noselect) "l0" | LIST (\\HasChildren \\Noselect) "l0/l1" | LIST (\\HasChildren \\Noselect) "l0/l1/l2" | LIST (\\HasChildren \\Noselect) "tree" | LIST (\\HasNoChildren) "a" | LIST (\\HasNoChildren) "a*c" | LIST (\\HasNoChildren) "spec" | LIST (\\HasNoChildren) "spec2" | LIST (\\HasNoChildren) "spec3" | LIST (\\HasNoChildren) "spec5" | LIST (\\HasNoChildren) "spec6" | LIST (\\HasNoChildren) "spec7"',
      ],
    },
  },
  {
    why: 'Where several refusals are true, which one is said is free',
    exchanges: {
      'deletion a: DELETE ""': ['NO [NONEXISTENT]', 'NO [CANNOT]'],
      'renaming a: RENAME "" p': ['NO [NONEXISTENT]', 'NO [CANNOT]'],
      'status a: STATUS "" (MESSAGES)': ['NO [NONEXISTENT]', 'NO [CANNOT]'],
      'selection a: SELECT ""': ['NO [NONEXISTENT]', 'NO [CANNOT]'],
      'random x: RENAME "a/a" "R&-D/b"': ['NO [NONEXISTENT]', 'NO [ALREADYEXISTS]'],
      'random x: RENAME "INBOX/R&-D" "R&-D/b"': ['NO [NONEXISTENT]', 'NO [ALREADYEXISTS]'],
      'chance x: RENAME "R&-D/a b" "a b"': ['NO [NONEXISTENT]', 'NO [ALREADYEXISTS]'],
    },
  },
  {
    why: "CREATE-SPECIAL-USE (RFC 6154 section 3): Dovecot's configuration does not have it, and takes anything",
    exchanges: {
      'creation a: CREATE spec (USE (\\Flagged))': ['NO [USEATTR]', 'OK'],
      'creation a: CREATE spec2 (USE (\\Sent))': ['NO [USEATTR]', 'OK'],
      'creation a: CREATE spec3 (USE (\\Nonsense))': ['NO [USEATTR]', 'OK'],
    },
  },
  {
    why: 'A use belongs to the mailbox, not to its name: it goes along with a rename and ends with deletion. Dovecot gives it to the name that is configured, and keeps that one',
    exchanges: {
      'deletion a: LIST (SPECIAL-USE) "" *': ['', 'LIST (\\Sent) "Sent"'],
      'deletion a: LIST (SPECIAL-USE) "" * #2': ['', 'LIST (\\Sent) "Sent"'],
      'renaming a: RENAME Sent "Sent Items"': ['OK', 'NO [NONEXISTENT]'],
      'renaming a: LIST (SPECIAL-USE) "" *': ['LIST (\\Sent) "Sent Items"', 'LIST (\\Sent) "Sent"'],
    },
  },
  {
    why: 'A name can be subscribed to without a mailbox, and INBOX be unsubscribed (RFC 9051 section 6.3.7)',
    exchanges: {
      'deletion a: SUBSCRIBE never': ['OK', 'NO'],
      'deletion a: LSUB "" * #2': ['LSUB () "never"', 'LSUB () "INBOX"'],
    },
  },
  {
    why: 'The attributes of LSUB are those of the mailbox (RFC 3501 section 7.2.3): this one cannot be selected any more',
    exchanges: {
      'deletion a: LSUB "" *': ['LSUB (\\Noselect) "p"', 'LSUB () "p"'],
      'deletion a: LSUB "" p*': ['LSUB (\\Noselect) "p"', 'LSUB () "p"'],
    },
  },
  {
    why: 'Subscriptions go along with a renamed mailbox',
    exchanges: {
      'renaming a: LSUB "" *': ['LSUB () "r/s/t/c"', 'LSUB () "p/c"'],
      'chance x: LIST (SUBSCRIBED) "" "%"': ['', 'LIST (\\Noselect \\Subscribed) "a b"'],
    },
  },
  {
    why: 'What is below INBOX stays there when INBOX is renamed (RFC 9051 section 6.3.6)',
    exchanges: {
      'renaming a: LIST "" * #2': [
        'LIST (\\HasChildren) "INBOX" | LIST (\\HasNoChildren) "INBOX/q" | LIST (\\HasNoChildren) "old"',
        'LIST (\\HasChildren) "old" | LIST (\\HasNoChildren) "INBOX" | LIST (\\HasNoChildren) "old/q"',
      ],
      'renaming a: LIST "" * #3': [
        'LIST (\\HasChildren) "INBOX" | LIST (\\HasNoChildren) "INBOX/q" | LIST (\\HasNoChildren) "old"',
        'LIST (\\HasChildren) "old" | LIST (\\HasNoChildren) "INBOX" | LIST (\\HasNoChildren) "old/q"',
      ],
    },
  },
  {
    why: '[CLOSED] says that the selected mailbox is gone (RFC 9051 section 7.1), the session goes on; Dovecot ends it a command later',
    exchanges: {
      'deletion a: DELETE gone': ['* OK [CLOSED]', ''],
      'deletion a: NOOP': ['OK', '* BYE | (closed)'],
      'renaming a: RENAME inbox older/still': ['* OK [CLOSED]', ''],
      'renaming a: NOOP': ['OK', '* BYE | (closed)'],
      'renaming b: FETCH 1 FLAGS': ['OK', '* BYE | (closed)'],
    },
  },
  {
    why: 'The root of a reference that is not rooted is empty (RFC 9051 section 6.3.9); no name here begins with a separator',
    exchanges: {
      'patterns a: LIST "work/" ""': ['LIST (\\Noselect) ""', 'LIST (\\Noselect) "work/"'],
      'patterns a: LIST "/" ""': ['LIST (\\Noselect) ""', 'LIST (\\Noselect) "/"'],
    },
  },
  {
    why: 'An empty pattern asks for the separator in LSUB as well',
    exchanges: {
      'patterns a: LSUB "" ""': ['LSUB (\\Noselect) ""', ''],
    },
  },
  {
    why: 'Names above subscribed ones that match themselves are told: RFC 5258 section 3.5 with CHILDINFO, RFC 3501 section 6.3.9 for "%"',
    exchanges: {
      'random x: LIST (SUBSCRIBED RECURSIVEMATCH) "" "*b" RETURN (SUBSCRIBED CHILDREN)': ['LIST (\\HasChildren) "b" ("CHILDINFO" ("SUBSCRIBED"))', ''],
      'random x: LSUB "" "%b"': ['LSUB (\\Noselect) "b"', ''],
    },
  },
  {
    why: 'BAD leaves the mailbox selected',
    exchanges: {
      'selection a: SELECT INBOX (NONSENSE)': ['', '* OK [CLOSED]'],
    },
  },
  {
    why: 'What changes messages is refused in a mailbox that is open for reading only (RFC 9051 section 6.3.3); Dovecot does nothing, or moves all the same',
    exchanges: {
      'selection a: STORE 1 +FLAGS (\\Flagged)': ['NO [READ-ONLY]', 'OK'],
      'selection a: EXPUNGE #2': ['NO [READ-ONLY]', 'OK'],
      'selection a: UID EXPUNGE 1:*': ['NO [READ-ONLY]', 'OK'],
      'selection c: MOVE 1 Trash': ['NO [READ-ONLY]', '* OK [COPYUID 3] | 1 EXPUNGE | OK'],
    },
  },
  {
    why: 'A message that another session removed has nothing to be read any more; Dovecot keeps it until it has been told',
    exchanges: {
      'selection a: FETCH 1:* FLAGS #2': ['NO [EXPUNGEISSUED]', '1 FETCH (FLAGS (\\Deleted \\Seen word)) | 1 FETCH (FLAGS (\\Deleted \\Seen word)) | OK'],
      'selection a: STORE 1 +FLAGS (\\Flagged) #2': ['NO [EXPUNGEISSUED]', '1 FETCH (FLAGS (\\Deleted \\Flagged \\Seen word)) | OK'],
      'selection a: UID FETCH 1:* FLAGS': ['', '1 FETCH (UID 1 FLAGS (\\Deleted \\Flagged \\Seen word))'],
    },
  },
  {
    why: 'INBOX is told as INBOX, however it was asked for',
    exchanges: {
      'status a: STATUS inbox (messages)': ['STATUS "INBOX" (MESSAGES 3)', 'STATUS "inbox" (MESSAGES 3)'],
    },
  },
  {
    why: 'DELETED and APPENDLIMIT (RFC 9051, RFC 7889): Dovecot does not know them',
    exchanges: {
      'status a: STATUS INBOX (DELETED)': ['STATUS "INBOX" (DELETED 1) | OK', 'BAD'],
      'status a: STATUS INBOX (APPENDLIMIT)': ['STATUS "INBOX" (APPENDLIMIT 52428800) | OK', 'BAD'],
    },
  },
  {
    why: '"]" is an ASTRING-CHAR and may stand in a tag (RFC 9051 section 9)',
    exchanges: {
      'lines a> x] NOOP\r\n': ['x] OK', '* BAD'],
    },
  },
  {
    why: 'Tags are bounded',
    exchanges: {
      'lines a> xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx NOOP\r\n': [
        '* BAD',
        'xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx OK',
      ],
    },
  },
  {
    why: 'Lines end in CRLF and in nothing else: what ends elsewhere for another program could smuggle commands',
    exchanges: {
      'lines a> x NOOP\n': ['x BAD', 'x OK'],
      'lines a> x NOOP\r\r\n': ['x BAD', 'x OK'],
    },
  },
  {
    why: 'ENABLED answers every ENABLE, and lists what is new (RFC 5161 section 3.2)',
    exchanges: {
      'lines a> x ENABLE NONSENSE\r\n': ['ENABLED', ''],
      'lines a> x ENABLE NONSENSE IMAP4rev1\r\n': ['ENABLED', ''],
      'lines a> x ENABLE condstore\r\n': ['ENABLED', 'ENABLED CONDSTORE'],
    },
  },
  {
    why: 'IDLE is ended by any line; one that is a command is answered (iOS pipelines around IDLE)',
    exchanges: {
      'lines a> x IDLE\r\nDONE x\r\n': ['x OK | DONE BAD', 'x BAD'],
    },
  },
  {
    why: 'ENABLE is a command of the authenticated state (RFC 5161 section 3.1)',
    exchanges: {
      'login n19> x ENABLE CONDSTORE\r\n': ['x BAD', 'ENABLED | x OK'],
    },
  },
  {
    why: 'BAD where the exchange itself is malformed (RFC 9051 section 6.2.2); Dovecot calls it a failed login',
    exchanges: {
      'login n13> x AUTHENTICATE PLAIN\r\nnot base64!\r\n': ['x BAD', 'x NO [ALERT]'],
      'login n14> x AUTHENTICATE PLAIN =\r\n': ['x BAD', 'x NO [AUTHENTICATIONFAILED]'],
      'login n18> x AUTHENTICATE PLAIN\r\n\r\n': ['x BAD', 'x NO [AUTHENTICATIONFAILED]'],
    },
  },
  {
    why: '[CANNOT] for a mechanism that there is not; Dovecot alarms the user',
    exchanges: {
      'login n11> x AUTHENTICATE NONSENSE\r\n': ['x NO [CANNOT]', 'x NO [ALERT]'],
    },
  },
  {
    why: 'Items are answered as often as they were asked for',
    exchanges: {
      'fetching a: FETCH 1 (UID UID)': ['1 FETCH (UID 1 UID 1)', '1 FETCH (UID 1)'],
    },
  },
  {
    why: 'Field names are given back as they were sent',
    exchanges: {
      'fetching a: FETCH 1 BODY.PEEK[HEADER.FIELDS (Subject)]': [
        '1 FETCH (BODY[HEADER.FIELDS (Subject)] {14}\nSubject: x\r\n\r\n)',
        '1 FETCH (BODY[HEADER.FIELDS (SUBJECT)] {14}\nSubject: x\r\n\r\n)',
      ],
      'fetching a: FETCH 1 BODY.PEEK[HEADER.FIELDS ("Subject" subject)]': [
        '1 FETCH (BODY[HEADER.FIELDS (Subject subject)] {14}\nSubject: x\r\n\r\n)',
        '1 FETCH (BODY[HEADER.FIELDS ("SUBJECT" SUBJECT)] {14}\nSubject: x\r\n\r\n)',
      ],
      'fetching a: FETCH 1 BODY.PEEK[HEADER.FIELDS.NOT (Subject)]': [
        '1 FETCH (BODY[HEADER.FIELDS.NOT (Subject)] {2}\n\r\n)',
        '1 FETCH (BODY[HEADER.FIELDS.NOT (SUBJECT)] {2}\n\r\n)',
      ],
    },
  },
  {
    why: 'Part 0, a range without or with no length, and the text of a part in BINARY are not in the grammar (RFC 9051 section 9)',
    exchanges: {
      'fetching a: FETCH 1 BODY.PEEK[0]': ['BAD', '1 FETCH (BODY[0] "") | OK'],
      'fetching a: FETCH 1 BODY.PEEK[]<5.0>': ['BAD', '1 FETCH (BODY[]<5> "") | OK'],
      'fetching a: FETCH 1 BODY.PEEK[]<5>': ['BAD', '1 FETCH (BODY[]<5> {15}\nct: x\r\n\r\nbody\r\n) | OK'],
      'fetching a: FETCH 1 BINARY.PEEK[TEXT]': ['BAD', '1 FETCH (BINARY[TEXT] {6}\nbody\r\n) | OK'],
    },
  },
  {
    why: 'Each command is done and answered before the next one is looked at: Dovecot begins FETCH commands that came together at once',
    exchanges: {
      'fetching a> x FETCH 1 UID\r\ny FETCH 2 UID\r\nz UID FETCH 3 FLAGS\r\n': [
        '1 FETCH (UID 1) | x OK | 2 FETCH (UID 2) | y OK | 3 FETCH (UID 3 FLAGS ()) | z OK',
        '1 FETCH (UID 1) | 2 FETCH (UID 2) | 3 FETCH (UID 3 FLAGS ()) | x OK | y OK | z OK',
      ],
    },
  },
  {
    why: 'FETCH behind APPEND in the selected mailbox finds the new message: it was told before',
    exchanges: {
      'fetching a> x APPEND INBOX {20+}\r\nSubject: x\r\n\r\nbody\r\n\r\ny FETCH 4 UID\r\n': ['4 FETCH (UID 4) | y OK', 'y BAD'],
    },
  },
  {
    why: 'A message without Date is at no date; Dovecot takes 1970',
    exchanges: {
      'searching a: SEARCH SENTBEFORE 1-Jan-2000': ['SEARCH', 'SEARCH 1 2 3'],
    },
  },
  {
    why: 'An empty charset is not known',
    exchanges: {
      'searching a: SEARCH CHARSET "" ALL': ['NO [BADCHARSET]', 'SEARCH 1 2 3 | OK'],
    },
  },
  {
    why: 'A text that is not in its charset is found nowhere',
    exchanges: {
      'searching a: SEARCH CHARSET UTF-8 SUBJECT {1+}\r\n\xe4': ['SEARCH | OK', 'BAD'],
      'searching a: SEARCH SUBJECT {1+}\r\n\xe4': ['SEARCH | OK', 'BAD'],
    },
  },
  {
    why: 'INTHREAD is a draft that we do not have',
    exchanges: {
      'searching a: SEARCH INTHREAD REFS ALL': ['BAD', 'SEARCH 1 2 3 | OK'],
    },
  },
  {
    why: 'REVERSE stands once before a key (RFC 5256 section 5)',
    exchanges: {
      'searching a: SORT (REVERSE REVERSE DATE) UTF-8 ALL': ['BAD', 'SORT 1 2 3 | OK'],
    },
  },
  {
    why: 'Dovecot says a space behind THREAD where nothing was found',
    exchanges: {
      'searching a: THREAD ORDEREDSUBJECT UTF-8 9': ['THREAD', 'THREAD '],
    },
  },
];
