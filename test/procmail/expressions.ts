/** Rows of the expression engine: a variable's text and what is searched in it. */
export const EXPRESSIONS: readonly (readonly [text: string, pattern: string])[] = [
  ...pairs('abc', 'b', '^^abc', '^^b', 'c^^', 'b^^', '^abc$', 'x*', '.*', '.+', 'ABC', '', '^^abc^^', 'c$^^', 'c$$', '^^^abc', 'a.c', '()$abc', '()\\<abc\\>', 'a)bc', 'a|x'),
  ...pairs('abc\n', 'c^^', 'c$^^', '^abc$', '^.*$', '.'),
  ...pairs('abc\ndef', 'abc$def', 'abc^def', 'abc$^def', 'c$$d', '^def', 'c.d', 'c[^x]d', 'c()\\>d', '^^def'),
  ...pairs('a\nb\nc\n', '^.*$', '^.+$', '^.$.', '[abc]$'),
  ...pairs('a\n\n\n\nb', '^$', '()$$', '^.*$', '()\\>\\>', 'a$', '^b'),
  ...pairs('\n\nabc', '^.*$', '^$', '^^$', '^^$$'),
  ...pairs('abab', 'ab', '^ab', '()^ab', '(ab)*', '(ab)+', '(ab)+^^', 'a(b|)a'),
  ...pairs('aaaa', 'a', 'aa', 'aaa', 'a+', 'a+^^', 'a?a'),
  ...pairs('foobar', '()\\/o+', 'o\\/o*', '.*\\/o.*', 'f\\/.*', '(foo|bar\\/x)', '(foo\\/bar)', 'f(o\\/o|oo)b', 'f(oo\\/|o\\/o)b', 'foo\\/', 'x\\/y'),
  ...pairs('foo\nbar', 'foo\\/$bar', 'foo$\\/bar', '()\\/^bar', 'foo\\/.*$', '()\\/.*', '^^\\/.*^^', '^^\\/(.|$)*^^'),
  ...pairs('Subject:   hello', '^Subject: *\\/.*', '^Subject:[ ]*\\/[^ ].*', '^subject:\\/.*', '^Subject:.*\\/l.*', '^Subject:.*\\/l+'),
  ...pairs('key: v1\nkey: v2\n', '^key: \\/.*', '^key: \\/.*$', '^key: \\/.*$.*', 'v2\\/$', '^key: .*$key: \\/.*'),
  ...pairs('xaaab', 'a*\\/a*b', 'a+\\/a*', 'a+\\/a+', 'x.*a\\/b?', 'a*a\\/.*b', '(a|ab)\\/.*', '[a-z]*\\/[0-9]*'),
  ...pairs('x foo12', '[a-z]+\\/[0-9]+', '()[a-z]*\\/[0-9]+', '^.*[a-z]+\\/[0-9]+', 'o+\\/1', 'o12\\/$'),
  ...pairs('a1b2', 'a\\/1b\\/2', 'a\\/1b\\/', 'a\\/.*', '[ab]\\/[12]'),
  ...pairs('foo', 'f\\/o|f', '(f|f\\/o)', '(f|f\\/o)o', '(fo|f\\/o)o', '(foo|f\\/oo)$', '.*\\/'),
  ...pairs('a]b-c\\d^e', '[]]', '[a-]b', 'b[-]c', 'c[\\]d', 'd\\^e', '[^]a-z\\-]', 'a[^a]b', '\\-', '\\]', '[]-]c', 'd[^^]', 'c[^\\]'),
  ...pairs('*a+b?(c)|{2}', '*a', 'a\\+b', 'b\\?', '\\(c\\)', '(\\(c\\))', 'c\\)\\|', '{2}', 'c.[|]', '(*a)', 'z|*a', 'a{2}'),
  ...pairs('aab*b', 'a**b', 'a+*b', 'b*b', 'a?*b', 'b\\*b', '(*)', '(+)'),
  ...pairs('xy', '(x', 'xy))', 'x[', 'x[y', 'x[y-', '()', 'x()y', 'x(|z)y', '(x*)*y', '(x*)+y', '(x|y)*', '(x|y)*\\/$', '[y-x]', '[x-y]+', '[X-Y]y'),
  ...pairs('b_c d', '()\\<c', 'c\\>', '()\\<d', 'c\\>d', 'b\\>', 'b\\<'),
  ...pairs('\xe9t\xe9 \xc9T\xc9', '\xe9t\xe9', '\xc9t', '[\xe9]t', '.t.', '[^a]t'),
  ...pairs('To: joe@example.org', '^TO_joe', '^TOjoe', '^TO_oe', '^TOexample', '^to_joe', '(^TO_)joe', '^TO_joe@', '^TO_example.org'),
  ...pairs('Cc: a, x.joe@example.org', '^TO_joe', '^TOjoe', '^TO_x.joe', '^TO_a', '^TO.joe'),
  ...pairs('From: MAILER-DAEMON@example.org\n', '^FROM_DAEMON', '^FROM_MAILER', '!^FROM_DAEMON'),
  ...pairs('Precedence: bulk', '^FROM_DAEMON', '^FROM_MAILER', '! ^FROM_MAILER'),
  ...pairs('From: Joe <joe-request@example.org>\nX: y', '^FROM_DAEMON', '^FROM_MAILER'),
  ...pairs('From: rootbeer@example.org\n', '^FROM_DAEMON', '^FROM_MAILER'),
  ...pairs('Sender: owner-list@example.org\n', '^FROM_DAEMON', '^FROM_MAILER'),
];

function pairs(text: string, ...patterns: string[]): (readonly [string, string])[] {
  return patterns.map((pattern) => [text, pattern] as const);
}
