/** The declared metrics: what docs and Prometheus say about each. One row a metric. */

export interface MetricDeclaration {
  readonly type: 'counter' | 'gauge';
  readonly help: string;
  /** Name of the one label, when there is one. */
  readonly label?: string;
  /** How the threads' values of a gauge become one; sum unless said. */
  readonly merge?: 'sum' | 'max';
}

export const METRICS: ReadonlyMap<string, MetricDeclaration> = new Map<string, MetricDeclaration>([
  // the program
  ['tls.certificateExpirySeconds', { type: 'gauge', help: 'Seconds until the first certificate expires.' }],
  ['thread.restarts', { type: 'counter', help: 'Threads started again after a failure.', label: 'thread' }],
  ['thread.heapBytes', { type: 'gauge', help: 'JavaScript heap of a thread.', label: 'thread' }],
  ['thread.externalBytes', { type: 'gauge', help: 'Memory of buffers outside the heap of a thread.', label: 'thread' }],
  ['log.dropped', { type: 'counter', help: 'Log lines given up because nobody read them.' }],
  ['journey.events', { type: 'counter', help: 'Rows written to the message journey.' }],
  ['journey.dropped', { type: 'counter', help: 'Journey rows given up because their database was busy or full.' }],
  // connections and sign-ins
  ['net.connections', { type: 'counter', help: 'Connections accepted.', label: 'protocol' }],
  ['net.connections.refused', { type: 'counter', help: 'Connections refused by a limit.', label: 'reason' }],
  ['net.proxy.refused', { type: 'counter', help: 'Connections with a bad PROXY header.' }],
  ['net.tls.failed', { type: 'counter', help: 'TLS handshakes that failed.', label: 'protocol' }],
  ['auth.ok', { type: 'counter', help: 'Sign-ins.', label: 'protocol' }],
  ['auth.refused', { type: 'counter', help: 'Sign-ins refused.', label: 'protocol' }],
  ['mirror.pulled', { type: 'counter', help: 'Messages taken into the store from folders of system users.' }],
  ['mirror.pushed', { type: 'counter', help: 'Messages written, changed or removed in folders of system users.' }],
  ['mirror.failed', { type: 'counter', help: 'Looks at folders of system users that failed.' }],
  // mail comes in
  ['smtp.messages', { type: 'counter', help: 'Messages received by SMTP, submission and LMTP.', label: 'protocol' }],
  ['smtp.mail.refused', { type: 'counter', help: 'Senders refused at MAIL.', label: 'reason' }],
  ['smtp.rcpt.refused', { type: 'counter', help: 'Recipients refused at RCPT.', label: 'reason' }],
  ['smtp.data.refused', { type: 'counter', help: 'Messages refused after DATA or BDAT.', label: 'reason' }],
  ['smtp.auth.ok', { type: 'counter', help: 'Sign-ins at submission.', label: 'mechanism' }],
  ['smtp.auth.refused', { type: 'counter', help: 'Sign-ins refused at submission.', label: 'mechanism' }],
  ['smtp.connections.refused', { type: 'counter', help: 'Clients refused before their greeting.' }],
  ['smtp.messages.discarded', { type: 'counter', help: 'Messages taken and thrown away, as a rule says.' }],
  ['judge.refused', { type: 'counter', help: 'Refusals by the judge, by step of the session.', label: 'stage' }],
  ['smtp.early', { type: 'counter', help: 'Clients that spoke before they were greeted.' }],
  ['smtp.errors.exceeded', { type: 'counter', help: 'Clients sent away for too many mistakes.' }],
  ['smtp.foreignProtocol', { type: 'counter', help: 'Clients that spoke another protocol, such as HTTP.' }],
  ['smtp.timeouts', { type: 'counter', help: 'Clients sent away for their silence.' }],
  ['pickup.messages', { type: 'counter', help: 'Messages taken from the sendmail command.' }],
  ['pickup.bad', { type: 'counter', help: 'Files in the pickup folder that made no sense.' }],
  ['filter.runs', { type: 'counter', help: 'Runs of Sieve scripts, by how they ended.', label: 'end' }],
  ['imapsieve.runs', { type: 'counter', help: 'Messages for which scripts ran after IMAP commands, by how they ended.', label: 'end' }],
  ['filter.failed', { type: 'counter', help: 'Messages whose rules could not be followed because of a bug.' }],
  ['intake.accepted', { type: 'counter', help: 'Messages made durable and acknowledged.', label: 'source' }],
  ['intake.refused', { type: 'counter', help: 'Messages refused by the store or by routing.', label: 'reason' }],
  // before the greeting
  ['door.refused', { type: 'counter', help: 'Clients refused before their greeting.', label: 'reason' }],
  ['door.listed', { type: 'counter', help: 'Answers of DNS lists that counted, good or bad.', label: 'zone' }],
  ['door.lists.failed', { type: 'counter', help: 'Questions to DNS lists without a useful answer.', label: 'zone' }],
  // who the sender is
  ['authenticity.spf', { type: 'counter', help: 'SPF checks of MAIL FROM (or of HELO for empty senders).', label: 'result' }],
  ['authenticity.dkim', { type: 'counter', help: 'DKIM signatures checked.', label: 'result' }],
  ['authenticity.dmarc', { type: 'counter', help: 'Messages checked with DMARC.', label: 'result' }],
  ['authenticity.arc', { type: 'counter', help: 'ARC chains checked.', label: 'result' }],
  ['policy.rbl.failed', { type: 'counter', help: 'Questions of restrictions to DNS lists that were not answered.', label: 'list' }],
  // greylist, rates, policy servers
  ['greylist.checks', { type: 'counter', help: 'What the greylist said: to wait, or why to pass.', label: 'answer' }],
  ['rates.exceeded', { type: 'counter', help: 'Refusals because a limit was used up.', label: 'event' }],
  ['habit.incidents', { type: 'counter', help: 'Accounts whose mail was held for sending far above their habit.' }],
  ['policy.service.failed', { type: 'counter', help: 'Questions to policy servers that were not answered.', label: 'service' }],
  ['face.policy.connections', { type: 'counter', help: 'Connections of other mail servers to this one as a policy server.' }],
  ['face.policy.requests', { type: 'counter', help: 'Questions answered as a policy server.', label: 'action' }],
  // milters
  ['milter.decisions', { type: 'counter', help: 'Decisions of milters.', label: 'decision' }],
  ['milter.failed', { type: 'counter', help: 'Times a milter failed and its default action decided.', label: 'milter' }],
  ['face.milter.messages', { type: 'counter', help: 'Messages of other mail servers judged by the milter protocol.', label: 'action' }],
  // queue and delivery
  ['queue.entries', { type: 'gauge', help: 'Messages in the queue.' }],
  ['queue.memoryRecipients', { type: 'gauge', help: 'Recipients the courier has in memory.' }],
  ['queue.destinations', { type: 'gauge', help: 'Destinations the courier has work for.' }],
  ['queue.connections', { type: 'gauge', help: 'Open connections to other servers.' }],
  ['queue.oldestDueSeconds', { type: 'gauge', help: 'How long the most overdue recipient has been waiting for its attempt.', merge: 'max' }],
  ['queue.oldestEntrySeconds', { type: 'gauge', help: 'Age of the oldest message in the queue.', merge: 'max' }],
  ['queue.delivered', { type: 'counter', help: 'Outcomes of delivery attempts by the queue.', label: 'outcome' }],
  ['deliver.connections', { type: 'counter', help: 'Connections made to other servers.' }],
  ['deliver.connectFailed', { type: 'counter', help: 'Connections to other servers that failed.' }],
  // DMARC reports
  ['dmarc.rowsDropped', { type: 'counter', help: 'Facts for outgoing DMARC reports given up because there were too many.' }],
  ['dmarc.reportsSent', { type: 'counter', help: 'DMARC reports sent.' }],
  ['dmarc.reportsTaken', { type: 'counter', help: 'DMARC reports of others that were read.' }],
  ['dmarc.reportsRefused', { type: 'counter', help: 'Mails to the address for DMARC reports that held none that could be read.' }],
  // store
  ['store.commits', { type: 'gauge', help: 'Group commits since the writer started.' }],
  ['store.operations', { type: 'gauge', help: 'Operations committed since the writer started.' }],
  ['search.indexed', { type: 'counter', help: 'Messages taken into the search index.' }],
  ['search.removed', { type: 'counter', help: 'Messages removed from the search index.' }],
  ['search.attachments', { type: 'counter', help: 'Messages whose attachments were read for the search index.' }],
  ['search.backlog', { type: 'gauge', help: 'Messages that are not in the search index yet, or a little more.' }],
  ['search.seconds', { type: 'counter', help: 'Time the indexer worked on messages.' }],
  ['search.made', { type: 'counter', help: 'Times the search index was made again while the server ran, because it was damaged.' }],
  ['store.walBytes', { type: 'gauge', help: 'Length of the write-ahead log.' }],
  // reading mail
  ['imap.logins', { type: 'counter', help: 'IMAP sessions that signed in.' }],
  ['imap.appended', { type: 'counter', help: 'Messages appended by IMAP clients.' }],
  ['imap.bad', { type: 'counter', help: 'IMAP commands answered with BAD.' }],
  ['managesieve.logins', { type: 'counter', help: 'ManageSieve sessions that signed in.' }],
  ['managesieve.refused', { type: 'counter', help: 'Sieve scripts refused because they are not valid.' }],
  ['pop3.retrieved', { type: 'counter', help: 'Messages fetched by POP3 clients.' }],
  ['pop3.deleted', { type: 'counter', help: 'Messages deleted by POP3 clients.' }],
  ['pop3.inUse', { type: 'counter', help: 'POP3 sign-ins refused because the mailbox was in use.' }],
]);
