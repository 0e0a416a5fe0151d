/** Schema version 6: what the judge ordered for a queued message: another next hop, why it is held, junk. */
export const SCHEMA_0006 = `
ALTER TABLE queue_entry ADD COLUMN nexthop TEXT;
ALTER TABLE queue_entry ADD COLUMN hold_reason TEXT;
ALTER TABLE queue_entry ADD COLUMN is_junk INTEGER NOT NULL DEFAULT 0;
`;
