/** The other servers that the conversations need: a policy server, and a mail server for address probes. */
import { once } from 'node:events';
import { createServer, type Server, type Socket } from 'node:net';
import { atEnd, type Owner } from '../harness/temp.ts';

/** A server of Postfix's policy delegation protocol: does what `act` says, and keeps the questions. */
export async function startPolicyServer(
  owner: Owner,
  port: number,
  act: (attributes: Readonly<Record<string, string>>) => string | null,
): Promise<Record<string, string>[]> {
  const questions: Record<string, string>[] = [];
  await listen(owner, '127.0.0.1', port, (socket) => {
    let text = '';
    socket.on('data', (chunk) => {
      text += chunk.toString('utf8');
      for (let end = text.indexOf('\n\n'); end !== -1; end = text.indexOf('\n\n')) {
        const attributes = Object.fromEntries(
          text
            .slice(0, end)
            .split('\n')
            .map((line) => [line.slice(0, line.indexOf('=')), line.slice(line.indexOf('=') + 1)]),
        );
        text = text.slice(end + 2);
        questions.push(attributes);
        const action = act(attributes);
        if (action === null) socket.destroy();
        else socket.write(`action=${action}\n\n`);
      }
    });
  });
  return questions;
}

/** What the probed mail server says to RCPT, by the local part. */
export function probeReply(command: string): string {
  if (/<bad/i.test(command)) return '550 5.1.1 No such user';
  return /<later/i.test(command) ? '451 4.3.0 Ask later' : '250 2.1.5 Ok';
}

export async function startProbedServer(owner: Owner, host: string): Promise<void> {
  await listen(owner, host, 25, (socket) => {
    socket.write('220 mx.probe.test ESMTP\r\n');
    let text = '';
    socket.on('data', (chunk) => {
      text += chunk.toString('latin1');
      for (let end = text.indexOf('\r\n'); end !== -1; end = text.indexOf('\r\n')) {
        const command = text.slice(0, end);
        text = text.slice(end + 2);
        const verb = command.slice(0, 4).toUpperCase();
        socket.write(`${verb === 'RCPT' ? probeReply(command) : verb === 'QUIT' ? '221 2.0.0 Bye' : '250 2.0.0 Ok'}\r\n`);
        if (verb === 'QUIT') socket.end();
      }
    });
  });
}

async function listen(owner: Owner, host: string, port: number, serve: (socket: Socket) => void): Promise<void> {
  const sockets = new Set<Socket>();
  const server: Server = createServer((socket) => {
    sockets.add(socket);
    socket.on('error', () => socket.destroy());
    socket.on('close', () => sockets.delete(socket));
    serve(socket);
  });
  server.listen(port, host);
  await once(server, 'listening');
  atEnd(owner, async () => {
    server.close();
    for (const socket of sockets) socket.destroy();
    await once(server, 'close');
  });
}
