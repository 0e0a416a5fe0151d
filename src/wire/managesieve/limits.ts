/** Bounds of the ManageSieve grammar (RFC 5804 section 4). */

/** A line without the literals it announces: two names in quotes with every character escaped, and a SASL response (RFC 4954 section 4 has the same bound). */
export const LINE_OCTETS_MAX = 12_288;
/** What we send between quotes; longer strings go as literals. Clients may send as much as a line holds. */
export const QUOTED_OCTETS_MAX = 1024;
export const ATOM_OCTETS_MAX = 1024;
/** No command takes more than two arguments; the third is there to be refused. */
export const WORDS_MAX = 4;
/** A 32-bit unsigned number. */
export const NUMBER_MAX = 4_294_967_295;
/** Octets of one refused literal that are read and thrown away so that the client hears why; a larger one ends the connection. */
export const SKIPPED_OCTETS_MAX = 64 * 1024 * 1024;
/** RFC 5804 section 1.6 asks for 128 characters, up to 512 octets. */
export const NAME_CHARACTERS_MAX = 128;
