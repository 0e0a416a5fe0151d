/** A host that takes whatever it is sent and keeps it: what a content filter gets, or a remote host of no importance. */
import { once } from 'node:events';
import { createServer, type Socket } from 'node:net';
import { atEnd, type Owner } from '../harness/temp.ts';

export interface Taken {
  readonly sender: string;
  readonly recipients: readonly string[];
  /** As it came, dots undone; bytes as latin1. */
  readonly message: string;
}
export interface SmtpSink {
  readonly port: number;
  readonly taken: readonly Taken[];
}

export async function startSmtpSink(owner: Owner, host: string, port = 0): Promise<SmtpSink> {
  const taken: Taken[] = [];
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.once('close', () => sockets.delete(socket));
    serve(socket, taken);
  });
  server.listen(port, host);
  await once(server, 'listening');
  atEnd(owner, () => {
    server.close();
    for (const socket of sockets) socket.destroy();
  });
  return { port: (server.address() as { port: number }).port, taken };
}

function serve(socket: Socket, taken: Taken[]): void {
  let text = '';
  let sender = '';
  let recipients: string[] = [];
  let isData = false;
  socket.setEncoding('latin1');
  socket.on('error', () => {}); // 'close' follows
  socket.write('220 sink.test ESMTP\r\n');
  socket.on('data', (chunk: string) => {
    text += chunk;
    for (;;) {
      const end = text.indexOf(isData ? '\r\n.\r\n' : '\r\n');
      if (end < 0) return;
      const part = text.slice(0, end);
      text = text.slice(end + (isData ? 5 : 2));
      if (isData) {
        isData = false;
        taken.push({ sender, recipients, message: `${part}\r\n`.replaceAll(/^\.\./gm, '.') });
        recipients = [];
        socket.write('250 2.0.0 taken\r\n');
        continue;
      }
      const path = /<([^>]*)>/.exec(part)?.[1] ?? '';
      const verb = part.slice(0, 4).toUpperCase();
      if (verb === 'MAIL') sender = path;
      else if (verb === 'RCPT') recipients.push(path);
      else if (verb === 'RSET') recipients = [];
      isData = verb === 'DATA';
      socket.write(
        isData ? '354 send\r\n' : verb === 'EHLO' ? '250-sink.test\r\n250 PIPELINING\r\n' : verb === 'QUIT' ? '221 2.0.0 bye\r\n' : '250 2.0.0 ok\r\n',
      );
    }
  });
}
