/** Facts, reports and archives for tests of this folder. */
import { crc32, deflateRawSync } from 'node:zlib';
import type { DmarcReportFacts } from './facts.ts';

export function testFacts(change: Partial<DmarcReportFacts> = {}): DmarcReportFacts {
  return {
    domain: 'remote.test',
    policy: { adkim: 'r', aspf: 'r', p: 'reject', sp: 'reject', pct: 100, rua: ['mailto:dmarc@remote.test'] },
    sourceIp: '192.0.2.7',
    headerFrom: 'remote.test',
    envelopeFrom: 'bounce.remote.test',
    disposition: 'none',
    dkimAligned: true,
    spfAligned: false,
    override: null,
    dkim: [{ domain: 'remote.test', selector: 's1', result: 'pass' }],
    spf: { domain: 'bounce.remote.test', scope: 'mfrom', result: 'softfail' },
    ...change,
  };
}

/** A zip archive of these files, deflated. `claimedBytes` lies about the unpacked size. */
export function zipOf(files: Readonly<Record<string, string | Uint8Array>>, claimedBytes?: number): Buffer {
  const local: Buffer[] = [];
  const central: Buffer[] = [];
  let offset = 0;
  for (const [name, content] of Object.entries(files)) {
    const data = Buffer.from(content as Uint8Array);
    const packed = deflateRawSync(data);
    const head = Buffer.alloc(26);
    head.writeUInt16LE(20, 0);
    head.writeUInt16LE(8, 4);
    head.writeUInt32LE(crc32(data), 10);
    head.writeUInt32LE(packed.length, 14);
    head.writeUInt32LE(claimedBytes ?? data.length, 18);
    head.writeUInt16LE(Buffer.byteLength(name), 22);
    const localPart = Buffer.concat([Buffer.from('PK\x03\x04', 'latin1'), head, Buffer.from(name), packed]);
    const entry = Buffer.alloc(42);
    entry.writeUInt16LE(20, 0);
    head.copy(entry, 2);
    entry.writeUInt32LE(offset, 38);
    central.push(Buffer.concat([Buffer.from('PK\x01\x02', 'latin1'), entry, Buffer.from(name)]));
    local.push(localPart);
    offset += localPart.length;
  }
  const directory = Buffer.concat(central);
  const end = Buffer.alloc(18);
  end.writeUInt16LE(central.length, 4);
  end.writeUInt16LE(central.length, 6);
  end.writeUInt32LE(directory.length, 8);
  end.writeUInt32LE(offset, 12);
  return Buffer.concat([...local, directory, Buffer.from('PK\x05\x06', 'latin1'), end]);
}

/** A report as a large provider writes it. */
export const PLAIN_REPORT = `<?xml version="1.0" encoding="UTF-8" ?>
<feedback>
  <report_metadata>
    <org_name>big.example</org_name>
    <email>noreply-dmarc@big.example</email>
    <extra_contact_info>https://big.example/help</extra_contact_info>
    <report_id>1234567890</report_id>
    <date_range><begin>1782864000</begin><end>1782950399</end></date_range>
  </report_metadata>
  <policy_published><domain>us.test</domain><adkim>r</adkim><aspf>r</aspf><p>none</p><sp>none</sp><pct>100</pct></policy_published>
  <record>
    <row><source_ip>192.0.2.1</source_ip><count>12</count>
      <policy_evaluated><disposition>none</disposition><dkim>pass</dkim><spf>pass</spf></policy_evaluated></row>
    <identifiers><header_from>us.test</header_from></identifiers>
    <auth_results><dkim><domain>us.test</domain><result>pass</result><selector>s1</selector></dkim>
      <spf><domain>us.test</domain><result>pass</result></spf></auth_results>
  </record>
  <record>
    <row><source_ip>2001:DB8::66</source_ip><count>3</count>
      <policy_evaluated><disposition>reject</disposition><dkim>fail</dkim><spf>fail</spf>
        <reason><type>local_policy</type><comment>a &amp; b</comment></reason></policy_evaluated></row>
    <identifiers><envelope_from>evil.test</envelope_from><header_from>us.test</header_from></identifiers>
    <auth_results><spf><domain>evil.test</domain><scope>mfrom</scope><result>fail</result></spf></auth_results>
  </record>
</feedback>
`;
