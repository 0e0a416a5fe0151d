/** Bounds of the policy delegation protocol. Postfix sends about 30 attributes in some 1,000 bytes. */
export const POLICY_LIMITS = {
  /** Of one request or reply, with its line ends. Four addresses of the largest size, certificate names, and room. */
  recordBytes: 32 * 1024,
  /** Names and values in one request or reply. */
  attributes: 100,
} as const;
