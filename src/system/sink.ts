/**
 * Where log lines go: gathered for one turn of the event loop, then written with one system call. Each thread has its
 * own sink on the same descriptor or file; nothing is lost at exit because the last lines are written there synchronously.
 */
import { closeSync, fstatSync, openSync, writeSync } from 'node:fs';

/** Lines waiting for a reader that has stopped reading: beyond this, new ones are counted instead of kept. */
const WAITING_CHARACTERS_MAX = 4 * 1024 * 1024;
/** Written early when a turn of the loop brings this much. */
const BATCH_CHARACTERS = 64 * 1024;
/** Up to here a write to a pipe is never mixed with another thread's (PIPE_BUF on Linux). */
const PIPE_BYTES = 4096;
/** How long exit waits for a slow reader of the pipe, in steps of a millisecond. */
const EXIT_WAIT_STEPS = 500;

export interface LineSink {
  /** `line` ends in a newline. */
  write(line: string): void;
  /** Writes what waits; `wait` keeps trying for half a second when the reader is slow. */
  flush(wait?: boolean): void;
  /** Opens the file again (after logrotate moved it). */
  reopen(): void;
  close(): void;
}

/** `file` '' is the standard output. Throws with a sentence when the file cannot be opened. */
export function openSink(file: string): LineSink {
  return new FileSink(file);
}

class FileSink implements LineSink {
  readonly file: string;
  fd: number;
  isPipe = false;
  waiting = '';
  dropped = 0;
  isScheduled = false;
  readonly atExit = (): void => this.flush(true);
  readonly nextTurn = (): void => {
    this.isScheduled = false;
    this.flush();
    // The reader is slow: look again soon, without keeping the process alive.
    if (this.waiting !== '') setTimeout(this.nextTurn, 20).unref();
  };

  constructor(file: string) {
    this.file = file;
    this.fd = this.open();
    process.on('exit', this.atExit);
  }

  private open(): number {
    let fd = 1;
    if (this.file !== '') {
      try {
        fd = openSync(this.file, 'a', 0o640);
      } catch (error) {
        throw new Error(`The log file ${this.file} cannot be opened: ${(error as Error).message}`, { cause: error });
      }
    }
    const stat = fstatSync(fd);
    this.isPipe = stat.isFIFO() || stat.isSocket();
    return fd;
  }

  write(line: string): void {
    if (this.waiting.length > WAITING_CHARACTERS_MAX) {
      this.dropped += 1;
      return;
    }
    this.waiting += line;
    if (this.waiting.length >= BATCH_CHARACTERS) this.flush();
    else if (!this.isScheduled) {
      this.isScheduled = true;
      setImmediate(this.nextTurn);
    }
  }

  flush(wait = false): void {
    if (this.waiting === '') return;
    const bytes = Buffer.from(this.waiting, 'utf8');
    this.waiting = '';
    let at = 0;
    let steps = wait ? EXIT_WAIT_STEPS : 0;
    while (at < bytes.length) {
      try {
        at += writeSync(this.fd, bytes, at, this.pieceEnd(bytes, at) - at);
      } catch (error) {
        const code = (error as NodeJS.ErrnoException).code;
        if (code === 'EINTR') continue;
        if (code === 'EAGAIN' && steps > 0) {
          steps -= 1;
          Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 1);
          continue;
        }
        if (code === 'EAGAIN') this.waiting = bytes.toString('utf8', at) + this.waiting;
        // EPIPE, ENOSPC, EIO: there is nobody to tell; mail must go on without its log.
        else this.dropped += 1;
        return;
      }
    }
    if (this.dropped > 0) {
      const count = this.dropped;
      this.dropped = 0;
      this.write(`{"level":"warn","time":"${new Date().toISOString()}","event":"log.dropped","count":${count}}\n`);
    }
  }

  /** Whole lines up to PIPE_BYTES for a pipe (a longer line alone), everything for a file. */
  private pieceEnd(bytes: Buffer, at: number): number {
    if (!this.isPipe || bytes.length - at <= PIPE_BYTES) return bytes.length;
    const last = bytes.lastIndexOf(10, at + PIPE_BYTES - 1);
    if (last >= at) return last + 1;
    const next = bytes.indexOf(10, at);
    return next < 0 ? bytes.length : next + 1;
  }

  reopen(): void {
    this.flush();
    if (this.file === '') return;
    const old = this.fd;
    this.fd = this.open();
    closeSync(old);
  }

  close(): void {
    this.flush(true);
    process.off('exit', this.atExit);
    if (this.file !== '') closeSync(this.fd);
  }
}
