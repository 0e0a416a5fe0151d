/**
 * A 64-bit hash of short texts with a secret key, after HalfSipHash-1-3: nobody outside can choose an address that shares a bucket with
 * somebody else's. The result is two 32-bit words in fields, so that hashing allocates nothing.
 */
export class KeyedHash {
  /** The last result, as signed 32-bit words. */
  lo = 0;
  hi = 0;
  readonly #key0: number;
  readonly #key1: number;

  constructor(key0: number, key1: number) {
    this.#key0 = key0;
    this.#key1 = key1;
  }

  /** `salt0` and `salt1` separate one use from another. */
  of(text: string, salt0: number, salt1: number): void {
    const key0 = this.#key0 ^ salt0;
    const key1 = this.#key1 ^ salt1;
    let v0 = key0 | 0;
    let v1 = key1 ^ 0xee;
    let v2 = 0x6c79_6765 ^ key0;
    let v3 = 0x7465_6462 ^ key1;
    const { length } = text;
    // Words of two UTF-16 units; the last word carries the length, then three words of nothing finish, then three for the second half.
    const blocks = (length >> 1) + 1;
    for (let block = 0; block < blocks + 6; block += 1) {
      let word = 0;
      if (block < blocks) {
        const at = block * 2;
        if (block < blocks - 1) word = text.charCodeAt(at) | (text.charCodeAt(at + 1) << 16);
        else word = (at < length ? text.charCodeAt(at) : 0) | (length << 16);
        v3 ^= word;
      } else if (block === blocks) v2 ^= 0xee;
      else if (block === blocks + 3) {
        this.lo = v1 ^ v3;
        v1 ^= 0xdd;
      }
      v0 = (v0 + v1) | 0;
      v1 = ((v1 << 5) | (v1 >>> 27)) ^ v0;
      v0 = (v0 << 16) | (v0 >>> 16);
      v2 = (v2 + v3) | 0;
      v3 = ((v3 << 8) | (v3 >>> 24)) ^ v2;
      v0 = (v0 + v3) | 0;
      v3 = ((v3 << 7) | (v3 >>> 25)) ^ v0;
      v2 = (v2 + v1) | 0;
      v1 = ((v1 << 13) | (v1 >>> 19)) ^ v2;
      v2 = (v2 << 16) | (v2 >>> 16);
      if (block < blocks) v0 ^= word;
    }
    this.hi = v1 ^ v3;
  }
}
