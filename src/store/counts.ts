/** Where counters may differ from the rows they count, and how they are made again. */

/** Counters that are kept beside the rows they count, with the query that finds where they differ. */
export const COUNT_CHECKS: readonly { readonly what: string; readonly sql: string; readonly repair: string }[] = [
  {
    what: 'mailbox % has wrong counts',
    sql: `SELECT b.id FROM mailbox b LEFT JOIN (SELECT account_id, mailbox_id, count(*) n, sum(size) s, sum(flags & 1 = 0) u, sum(flags & 8 != 0) d, max(uid) x, max(modseq) q FROM message GROUP BY account_id, mailbox_id) m
      ON m.mailbox_id=b.id AND m.account_id=b.account_id
      WHERE b.message_count != coalesce(m.n,0) OR b.bytes != coalesce(m.s,0) OR b.unseen_count != coalesce(m.u,0) OR b.deleted_count != coalesce(m.d,0) OR b.uid_next <= coalesce(m.x,0) OR b.highest_modseq < coalesce(m.q,0)`,
    repair: `UPDATE mailbox SET
      message_count=(SELECT count(*) FROM message m WHERE m.account_id=mailbox.account_id AND m.mailbox_id=mailbox.id),
      bytes=(SELECT coalesce(sum(size),0) FROM message m WHERE m.account_id=mailbox.account_id AND m.mailbox_id=mailbox.id),
      unseen_count=(SELECT count(*) FROM message m WHERE m.account_id=mailbox.account_id AND m.mailbox_id=mailbox.id AND m.flags & 1 = 0),
      deleted_count=(SELECT count(*) FROM message m WHERE m.account_id=mailbox.account_id AND m.mailbox_id=mailbox.id AND m.flags & 8 != 0),
      uid_next=max(uid_next, (SELECT coalesce(max(uid),0)+1 FROM message m WHERE m.account_id=mailbox.account_id AND m.mailbox_id=mailbox.id)),
      highest_modseq=max(highest_modseq, (SELECT coalesce(max(modseq),0) FROM message m WHERE m.account_id=mailbox.account_id AND m.mailbox_id=mailbox.id))`,
  },
  {
    what: 'email % has a wrong reference count',
    sql: 'SELECT e.id FROM email e LEFT JOIN (SELECT email_id, count(*) n FROM message GROUP BY email_id) m ON m.email_id=e.id WHERE e.refs != coalesce(m.n,0)',
    repair:
      'UPDATE email SET refs=(SELECT count(*) FROM message m WHERE m.email_id=email.id) WHERE id IN (SELECT e.id FROM email e LEFT JOIN (SELECT email_id, count(*) n FROM message GROUP BY email_id) m ON m.email_id=e.id WHERE e.refs != coalesce(m.n,0))',
  },
  {
    what: 'blob % has a wrong reference count',
    sql: `SELECT b.id FROM blob b LEFT JOIN (SELECT blob_id, count(*) n FROM (SELECT blob_id FROM email UNION ALL SELECT blob_id FROM queue_entry) GROUP BY blob_id) r ON r.blob_id=b.id WHERE b.refs != coalesce(r.n,0)`,
    repair: `UPDATE blob SET refs=(SELECT count(*) FROM email e WHERE e.blob_id=blob.id)+(SELECT count(*) FROM queue_entry q WHERE q.blob_id=blob.id) WHERE id IN
      (SELECT b.id FROM blob b LEFT JOIN (SELECT blob_id, count(*) n FROM (SELECT blob_id FROM email UNION ALL SELECT blob_id FROM queue_entry) GROUP BY blob_id) r ON r.blob_id=b.id WHERE b.refs != coalesce(r.n,0))`,
  },
];
