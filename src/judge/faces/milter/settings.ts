/** Options of the milter face: Posthorn as a milter of Postfix or Sendmail. */
import { bytes, choice, count, list, MiB, type SettingsOf } from '../../../system/declare.ts';
import { wrongListenAddress } from '../../../system/listen-address.ts';

export const MILTER_FACE_SETTINGS = {
  'face.milterListen': list({
    default: [],
    accepts: 'a list of addresses: "127.0.0.1:8890", "unix:/run/posthorn/milter.sock"',
    doc: 'Where other mail servers reach the judge by the milter protocol. Whoever can connect may ask: loopback and sockets only.',
    see: 'Postfix smtpd_milters on their side',
    takes: 'restart',
    check: wrongListenAddress,
  }),
  'face.milterFailure': choice({
    default: 'tempfail',
    of: ['tempfail', 'accept'],
    doc: 'The answer when a message cannot be judged.',
  }),
  'face.milterMessageBytesMax': bytes({
    default: 100 * MiB,
    least: MiB,
    doc: 'Largest message that is judged; a larger one gets the answer of face.milterFailure.',
  }),
  'face.milterConnectionsMax': count({ default: 1000, least: 1, doc: 'Connections of other mail servers at a time.' }),
} as const;
export type MilterFaceSettings = SettingsOf<typeof MILTER_FACE_SETTINGS>;
