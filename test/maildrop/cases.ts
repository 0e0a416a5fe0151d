/** Filter files that maildrop and our reading of them must treat alike. Every file begins with `DEFAULT="./inbox"`. */
import { readFileSync } from 'node:fs';
import type { MessageName } from './messages.ts';

export interface Case {
  readonly name: string;
  readonly script: string;
  readonly message: MessageName;
}

/** Expressions and short statements: each line of the file is a filter file of its own, with `exit` behind it. Half of them are errors. */
const LINES = readFileSync(new URL('lines.txt', import.meta.url), 'utf8');

function lineCases(): Case[] {
  let group = '';
  const out: Case[] = [];
  for (const line of LINES.split('\n')) {
    const heading = /^\[(\w+)\]$/.exec(line);
    if (heading !== null) group = heading[1]!;
    else if (line !== '') out.push({ name: `${group}: ${line}`, script: `${line}\nexit\n`, message: group === 'mime' ? 'mime' : 'plain' });
  }
  return out;
}

/** Filter files of several lines. */
const FILES: Readonly<Record<string, string>> = {
  'if, elsif, else with braces': 'if (0)\n{\necho a\n}\nelsif ("0")\n{\necho b\n}\nelse\n{\necho c\n}\n',
  'if without braces': 'if (0)\n echo x\nelsif (1)\n echo y\nelse\n echo z\n',
  'else belongs to the nearest if': 'if (0)\n  if (1)\n    echo a\n  else\n    echo b\nelse\n  echo c\n',
  'if with its statement on the same line is an error': 'if (1) echo x\n',
  'if with its brace on the same line is an error': 'if (1) {\n echo x\n}\n',
  'if and a semicolon': 'if (1); echo x\n',
  'blank lines and comments before the brace': 'if (1)\n# comment\n\n{\n echo x\n}\n',
  'a blank line before else is an error': 'if (1)\n{\n echo x\n}\n\nelse\n{\n echo y\n}\n',
  'else if on one line is an error': 'if (0)\n{\n echo x\n}\nelse if (1)\n{\n echo y\n}\n',
  'else with if on the next line': 'if (0)\n{\n echo x\n}\nelse\nif (1)\n{\n echo y\n}\n',
  'statement and brace on one line': 'if (1)\n{ echo "x"; }\nelse\n{ echo y\n}\n',
  'a brace needs its statement ended': 'if (1)\n{ echo x }\n',
  'a statement behind a brace is an error': 'if (1)\n{\n echo x; } echo y\n',
  'a semicolon behind a brace': 'if (1)\n{ echo x; }; echo y\n',
  'an empty block': 'if (1)\n{\n}\necho z\n',
  'a block alone': '{\n echo x\n}\necho y\n',
  'an assignment as condition': 'if (A="1")\n{ echo "$A"; }\n',
  'a condition over two lines needs a backslash': 'if (1 &&\n 1)\n{\n echo x\n}\n',
  'a condition continued by a backslash': 'if (/^Subject:.*/ && \\\n  /^From:/ )\n{\n echo x\n}\n',
  'a pattern as condition needs brackets': 'if /Subject/\n{\n echo x\n}\n',
  'text continued by a backslash': 'echo "x\\\n  y"\necho \'x\\\n  y\'\necho x \\\ny\n',
  'text over two lines is an error': 'echo "a\nb"\n',
  'a backslash in a comment': '# x \\\necho y\n',
  'comments everywhere': 'if (1) # c\n{ # c\n echo x # c\n} # c\nelse # c\n{ # c\n echo z\n} # c\n',
  'a missing brace': 'if (1)\n{\n echo x\n',
  'a brace too many': 'echo x\n}\n',
  'else without if': 'else\n{\n echo x\n}\n',
  'while counts': 'I=0\nwhile ($I < 3)\n{\n echo $I\n I=$I + 1\n}\n',
  'while with one statement': 'I=0\nwhile ($I < 3)\n I=$I + 1\necho $I\n',
  'while in while': 'I=0\nwhile ($I < 3)\n{\n J=0\n while ($J < $I)\n {\n  echo "$I.$J"\n  J=$J + 1\n }\n I=$I + 1\n}\n',
  'foreach over header lines': 'foreach /^(To|Cc):.*/\n{\n echo "<$MATCH> $MATCH1"\n}\n',
  'foreach over several matches of a line': 'foreach /o+/:hb\n{\n echo "<$MATCH>"\n}\n',
  'foreach over a text': 'foreach ("a1b22c333") =~ /[0-9]+/\n{\n echo "<$MATCH>"\n}\necho "after $MATCH"\n',
  'foreach over a text without brackets': 'foreach "aXbXc" =~ /x/\n{\n echo "<$MATCH>"\n}\n',
  'foreach in foreach': 'foreach /^(To|Cc): .*/\n{\n foreach (getaddr $MATCH) =~ /.+/\n {\n  echo "[$MATCH]"\n }\n}\n',
  'foreach and groups': 'foreach ("aXbXc") =~ /(x)(b)?/\n{\n echo "$MATCH $MATCH1 $MATCH2"\n}\n',
  'foreach with word boundaries': 'foreach ("aaa bb") =~ /\\b(.)/\n echo "$MATCH"\n',
  'foreach anchored': 'foreach ("aaa") =~ /^a/\n echo "$MATCH"\n',
  'foreach with a brace on the same line is an error': 'foreach /x/ {\n echo "x"\n}\n',
  'exception goes on behind': 'exception {\n echo a\n to "/nonexistent/a"\n echo b\n}\necho "after"\n',
  'exception with its brace on the next line is an error': 'exception\n{\n echo a\n}\n',
  'exception on one line': 'exception { echo x; }\necho y\n',
  'exception around include': 'exception {\n include "/nonexistent"\n}\necho "after $EXITCODE"\n',
  'exception around a failing program': 'exception {\n to "|cat >/dev/null; exit 3"\n}\necho "after $EXITCODE"\n',
  'exception around cc': 'exception {\n cc "|cat >/dev/null; exit 3"\n echo "x $EXITCODE"\n}\necho "after $EXITCODE"\n',
  'exception around xfilter': 'exception {\n xfilter "cat >/dev/null; exit 1"\n echo x\n}\necho "after"\nto "|cat"\n',
  'exception in exception': 'exception {\n exception {\n  cc "/nonexistent/x"\n }\n echo inner\n}\necho outer\n',
  'exception and to': 'exception {\n to "mbox"\n}\necho "not reached"\n',
  'flock around statements': 'flock "held" {\n echo x\n}\necho y\n',
  'flock with its brace on the next line is an error': 'flock "held"\n{\n echo x\n}\n',
  'dotlock holds a file': 'dotlock "held.lock" {\n system "ls held.lock"\n}\nsystem "ls held.lock 2>/dev/null || echo gone"\n',
  'dotlock that cannot be': 'dotlock "/nonexistent/x.lock" {\n echo x\n}\n',
  'dotlock and to': 'dotlock "held.lock" {\n to "mbox"\n}\n',
  'to an mbox': 'to "mbox"\n',
  'cc twice to an mbox, then to another': 'cc "mbox"\ncc "mbox"\nto "second"\n',
  'to a maildir': 'system "maildirmake box"\nto "box"\n',
  'cc to a maildir by several names': 'system "maildirmake box"\ncc "box"\ncc "./box"\ncc "box/"\nexit\n',
  'flags of a maildir file': 'system "maildirmake box"\nFLAGS="SRF"\nto "box"\n',
  'a maildir that is missing': 'to "missing/"\n',
  'a directory that is no maildir': 'system "mkdir plain"\nto "plain"\n',
  'default delivery': 'echo "end"\n',
  'exit delivers nothing': 'exit\n',
  'default delivery with EXITCODE': 'EXITCODE=9\n',
  forwarding: 'SENDMAIL="./sendmail"\ncc "!x@y.example z@w.example"\nto "!  a@b.example"\n',
  'a log of deliveries': 'logfile "log"\nlog "hello\\c"\nlog " world\\n"\ncc "mbox"\ncc "|cat >/dev/null"\nto "second"\n',
  'a log of the default delivery': 'logfile "log"\n',
  'a log of a long name': 'logfile "log"\nto "a-name-that-has-more-than-the-columns-of-the-log-entry-which-are-seventy-two-and-so-on"\n',
  'a changed message is stored': 'xfilter "sed \'s/^Subject:.*/Subject: other/\'"\ncc "mbox"\nif (/^Subject: other/)\n to "second"\n',
  'reformail adds a header': 'xfilter "reformail -A \'X-Added: yes\'"\nif (/^X-Added: (.*)/)\n to "box-$MATCH1"\n',
  include: 'system "printf \'%s\\n\' \'echo inside\' \'A=5\' > part"\ninclude "part"\necho "$A"\n',
  'include that delivers': 'system "echo \'to mbox\' > part"\ninclude "part"\necho "not reached"\n',
  'include with an error': 'system "echo \'to\' > part"\necho "before"\ninclude "part"\n',
  'include with exit': 'system "echo exit > part"\ninclude "part"\necho "not reached"\n',
  'lookup in a file':
    'system "printf \'%s\\n\' \'# no\' \'\' \'  ^fri.*@public\' \'B[a-c]t$\' \'[\' > words"\necho lookup("friend@public", "words")\necho lookup("a bat", words)\necho lookup("a bat", "words", "D")\necho lookup("no", "words")\n',
  'lookup in a file with a bad pattern': 'system "echo \'[\' > words"\necho lookup("no", "words")\n',
  'a score': 'S=/foo/:b,5,0.5 + /\\*/:h,1\nif ($S > 7)\n{\n to "spam-$S"\n}\n',
  'the manual page: addresses collected':
    'ADDRLIST=""\nforeach /^(To|Cc): .*/\n{\n    foreach (getaddr $MATCH) =~ /.+/\n    {\n        ADDRLIST="$ADDRLIST $MATCH"\n    }\n}\necho "$ADDRLIST"\n',
  'the manual page: a section matched again':
    'if ( /^From:\\s*(.*)/ )\n{\n   MATCH1=escape($MATCH1)\n   if ( !/^Subject:.*$MATCH1/ )\n   {\n     to "other"\n   }\n}\n',
  'lists into folders': 'if (/^List-Id:.*<([^.>]*)\\./)\n{\n  exception {\n    to "lists-$MATCH1"\n  }\n}\nto "rest"\n',
  'tests with hasaddr': 'if (hasaddr("bob@example.org") && !hasaddr("nobody@example.org"))\n{\n to "bob"\n}\n',
  'a choice by size': 'if ($SIZE < 100000 && $LINES > 3)\n to "small"\nto "large"\n',
  'vacation once': 'cc "| (cat > reply; exit 0)"\nif ($EXITCODE == 0)\n to "mbox"\nto "failed"\n',
};

export const CASES: readonly Case[] = [
  ...lineCases(),
  ...['bare', 'unversioned', 'quoted', 'bodyless'].flatMap((message) =>
    ['echo "$SIZE $LINES $FROM"', 'echo /hello/:b', 'echo /äpfel/:b', 'echo /aGVs/:b', 'echo /^/:b,1', 'to "mbox"', 'to "|cat"'].map(
      (line): Case => ({ name: `${message}: ${line}`, script: `${line}\nexit\n`, message: message as MessageName }),
    ),
  ),
  ...['Sender', 'From', 'Reply-To', 'To', 'Cc', 'Bcc', 'Resent-To', 'Resent-Cc', 'Delivered-To'].map(
    (field): Case => ({ name: `addresses: ${field}`, script: `/^${field}:.*/; echo "$MATCH"\nexit\n`, message: 'addresses' }),
  ),
  ...['a@b', 'C@D', 'e@f', 'only@angle', 'jane@x', 'x@[1.2.3.4]', '"a b"@c', 'a.b@c.d', 'hi'].map(
    (address): Case => ({ name: `addresses: hasaddr ${address}`, script: `echo hasaddr('${address}')\nexit\n`, message: 'addresses' }),
  ),
  ...Object.entries(FILES).map(([name, script]): Case => ({ name, script, message: 'plain' })),
  ...Object.entries(FILES)
    .filter(([, script]) => /to "|cc "/.test(script))
    .map(([name, script]): Case => ({ name: `${name} (MIME message)`, script, message: 'mime' })),
];
