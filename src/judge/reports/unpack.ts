/** The XML inside an attached report: a zip archive, a gzip file or the text itself. The name and the declared type are not trusted: the first bytes tell. */
import { promisify } from 'node:util';
import { gunzip } from 'node:zlib';
import { type Entry, fromBuffer, type ZipFile } from 'yauzl';
import { REPORT_LIMITS } from './limits.ts';
import { ReportError } from './report-error.ts';

const gunzipAsync = promisify(gunzip);

const isGzip = (bytes: Uint8Array): boolean => bytes[0] === 0x1f && bytes[1] === 0x8b;
/** Local file header, or the end record of an empty archive. */
const isZip = (bytes: Uint8Array): boolean => bytes[0] === 0x50 && bytes[1] === 0x4b && (bytes[2] === 3 || bytes[2] === 5);

/** The unpacked octets. Throws ReportError. */
export async function unpackReport(bytes: Uint8Array): Promise<Uint8Array> {
  if (bytes.length > REPORT_LIMITS.packedBytes)
    throw new ReportError('tooLarge', `the report has ${bytes.length} octets, more than ${REPORT_LIMITS.packedBytes}`);
  const inner = isGzip(bytes) ? await unpackGzip(bytes) : isZip(bytes) ? await unpackZip(bytes) : bytes;
  if (inner !== bytes && (isGzip(inner) || isZip(inner))) throw new ReportError('nested', 'an archive within an archive');
  return inner;
}

async function unpackGzip(bytes: Uint8Array): Promise<Uint8Array> {
  try {
    return await gunzipAsync(bytes, { maxOutputLength: REPORT_LIMITS.unpackedBytes });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ERR_BUFFER_TOO_LARGE')
      throw new ReportError('tooLarge', `unpacked it has more than ${REPORT_LIMITS.unpackedBytes} octets`, { cause: error });
    throw new ReportError('damaged', `the gzip file is damaged: ${(error as Error).message}`, { cause: error });
  }
}

/** The first file of the archive that is not a folder, XML before others. Names lead nowhere: nothing is written to disk. */
async function unpackZip(bytes: Uint8Array): Promise<Uint8Array> {
  // decodeStrings off: a name like "../x" is not our business, and need not be an error.
  const zip = await new Promise<ZipFile>((resolve, reject) => {
    fromBuffer(
      Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength),
      { lazyEntries: true, decodeStrings: false, validateEntrySizes: true },
      (error, file) => (error === null ? resolve(file) : reject(new ReportError('damaged', `the zip archive is damaged: ${error.message}`, { cause: error }))),
    );
  });
  try {
    const entry = await chooseEntry(zip);
    if (entry === null) throw new ReportError('noReport', 'the zip archive holds no file');
    return await readEntry(zip, entry);
  } finally {
    zip.close();
  }
}

function chooseEntry(zip: ZipFile): Promise<Entry | null> {
  return new Promise((resolve, reject) => {
    let first: Entry | null = null;
    let seen = 0;
    zip.on('error', (error: Error) => reject(new ReportError('damaged', `the zip archive is damaged: ${error.message}`, { cause: error })));
    zip.on('end', () => resolve(first));
    zip.on('entry', (entry: Entry) => {
      // With decodeStrings off the name is a Buffer, whatever the types say.
      const name = Buffer.from(entry.fileName as unknown as Uint8Array).toString('latin1');
      seen += 1;
      if (!name.endsWith('/')) {
        first ??= entry;
        if (/\.xml$/i.test(name)) {
          resolve(entry);
          return;
        }
      }
      if (seen >= REPORT_LIMITS.zipEntries) resolve(first);
      else zip.readEntry();
    });
    zip.readEntry();
  });
}

function readEntry(zip: ZipFile, entry: Entry): Promise<Uint8Array> {
  return new Promise((resolve, reject) => {
    const tooLarge = (): ReportError => new ReportError('tooLarge', `unpacked it has more than ${REPORT_LIMITS.unpackedBytes} octets`);
    const damaged = (error: Error): ReportError => new ReportError('damaged', `the zip archive is damaged: ${error.message}`, { cause: error });
    if (entry.uncompressedSize > REPORT_LIMITS.unpackedBytes) return reject(tooLarge());
    if (entry.isEncrypted()) return reject(new ReportError('damaged', 'the zip archive is locked with a password'));
    return zip.openReadStream(entry, (error, stream) => {
      if (error !== null) return reject(damaged(error));
      const pieces: Buffer[] = [];
      let size = 0;
      stream.on('data', (piece: Buffer) => {
        size += piece.length;
        // The declared size is checked by yauzl as well; this bound holds whatever it says.
        if (size > REPORT_LIMITS.unpackedBytes) {
          stream.destroy();
          reject(tooLarge());
        } else pieces.push(piece);
      });
      stream.on('error', (cause: Error) => reject(damaged(cause)));
      stream.on('end', () => resolve(Buffer.concat(pieces)));
      return undefined;
    });
  });
}
