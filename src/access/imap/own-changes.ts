/** Flag changes that a client made and has been answered: it must not be told of them again (RFC 9051 section 7.5.1 lets updates come with the same answer). */
export class OwnChanges {
  readonly #modseqs = new Map<number, number>();
  /** Of changes to many messages, all of which were answered. A modseq belongs to one operation. */
  readonly #sweeps = new Set<number>();

  tell(uid: number, modseq: number): void {
    this.#modseqs.set(uid, modseq);
  }

  tellSweep(modseq: number): void {
    this.#sweeps.add(modseq);
  }

  has(uid: number, modseq: number): boolean {
    return this.#sweeps.has(modseq) || this.#modseqs.get(uid) === modseq;
  }
}
