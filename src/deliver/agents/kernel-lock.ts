/**
 * fcntl(2) locks, which mutt, Dovecot, procmail and Postfix take on an mbox beside the dot-lock. Node cannot take them, Perl can, and
 * perl-base is part of every Debian system: one small process for each worker holds them in its own name. Where Perl is missing,
 * the dot-lock is all there is (all of these programs respect it).
 */
import { type ChildProcessByStdio, spawn } from 'node:child_process';
import type { Readable, Writable } from 'node:stream';

export interface KernelLocks {
  /** One try on an existing file. 'none': locks of this kind cannot be had here. */
  take(path: string): Promise<'taken' | 'busy' | 'none'>;
  release(path: string): Promise<void>;
  close(): void;
}

/** Commands: "L hex" and "U hex" (the path in hexadecimal); answers: "taken", "busy", "none" in order. `s s x! q q`: struct flock with its own padding. */
const PROGRAM = `
use strict; use Fcntl qw(:DEFAULT :flock F_SETLK F_WRLCK SEEK_SET);
$| = 1; my %held;
while (my $line = <STDIN>) {
  my ($what, $hex) = $line =~ /^([LU]) ([0-9a-f]*)$/ or exit 1;
  my $path = pack('H*', $hex);
  if ($what eq 'U') { delete $held{$path}; print "done\\n"; next; }
  my $handle;
  if (!sysopen($handle, $path, O_RDWR | O_NONBLOCK)) { print "none\\n"; next; }
  my $lock = pack('s s x![q] q q l', F_WRLCK, SEEK_SET, 0, 0, 0) . ("\\0" x 32);
  if (fcntl($handle, F_SETLK, $lock)) { $held{$path} = $handle; print "taken\\n"; }
  else { print(($!{EACCES} || $!{EAGAIN}) ? "busy\\n" : "none\\n"); }
}`;

export const PERL = '/usr/bin/perl';

/** `program` is there for tests of systems without it. The process starts with the first lock. */
export function kernelLocks(program: string = PERL): KernelLocks {
  let child: ChildProcessByStdio<Writable, Readable, null> | null = null;
  let isMissing = false;
  const waiting: ((answer: string) => void)[] = [];
  let rest = '';

  const lost = (): void => {
    isMissing = true;
    child = null;
    for (const answer of waiting.splice(0)) answer('none');
  };
  function start(): ChildProcessByStdio<Writable, Readable, null> {
    const started = spawn(program, ['-e', PROGRAM], { stdio: ['pipe', 'pipe', 'ignore'], env: { PATH: '/usr/bin:/bin', LC_ALL: 'C' } });
    started.on('error', lost);
    started.on('exit', lost);
    started.stdin.on('error', lost);
    started.stdout.setEncoding('latin1').on('data', (text: string) => {
      const lines = (rest + text).split('\n');
      rest = lines.pop()!.slice(0, 64);
      for (const line of lines) waiting.shift()?.(line);
    });
    return started;
  }
  function ask(what: string, path: string): Promise<string> {
    if (isMissing) return Promise.resolve('none');
    child ??= start();
    const { promise, resolve } = Promise.withResolvers<string>();
    waiting.push(resolve);
    child.stdin.write(`${what} ${Buffer.from(path).toString('hex')}\n`);
    return promise;
  }
  return {
    take: async (path) => {
      const answer = await ask('L', path);
      return answer === 'taken' || answer === 'busy' ? answer : 'none';
    },
    release: async (path) => {
      if (child !== null) await ask('U', path);
    },
    close: () => child?.kill(),
  };
}

/** Where only dot-locks are wanted. */
export const NO_KERNEL_LOCKS: KernelLocks = { take: () => Promise.resolve('none'), release: () => Promise.resolve(), close: () => {} };
