/**
 * Is what we read in memory, or must it come from the disk? Rows that lie far apart are read fastest where they are while the system has them
 * in memory, and from a dense copy otherwise: whoever has both tries the one and, where that came from the disk, takes the other for a while.
 */

/** 512 octets, of this process since it began; for tests to replace. Where a file system does not count them, everything seems to be in memory. */
export const DISK = { blocksRead: (): number => process.resourceUsage().fsRead };

/** Reads after one from the disk until it is tried again, by who lives long. */
const COLD_READS = 64;
/** By one command: each try is a page from the disk. */
export const COLD_READS_OF_COMMAND = 1000;
/** A sixteenth of a page of the database. */
const BLOCKS_A_ROW = 1 / 2;

export class DiskReads {
  readonly #coldReads: number;
  #left = 0;

  /** `coldReads`: reads of the copy until the rows are tried again. */
  constructor(coldReads = COLD_READS) {
    this.#coldReads = coldReads;
  }

  /** Is the dense copy to be read? To be asked once before each read. */
  takeCold(): boolean {
    if (this.#left === 0) return false;
    this.#left -= 1;
    return true;
  }

  /** Reads rows where they are, and notes when pages of the disk had to be read for it: one for sixteen rows is many. */
  watch<T>(rows: number, read: () => T): T {
    const before = DISK.blocksRead();
    const result = read();
    // Another thread's reads count too: then the copy is read without need, which costs a little and is right all the same.
    if (DISK.blocksRead() - before >= rows * BLOCKS_A_ROW) this.#left = this.#coldReads;
    return result;
  }
}
