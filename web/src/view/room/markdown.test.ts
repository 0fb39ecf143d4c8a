import { describe, expect, it } from 'vitest';
import table from '../../../../internal/domain/testdata/markdown.json';
import { excerptOf } from '../files/gist';
import { onlyEmoji, parse, plain, type Block, type Inline } from './markdown';

const inline = (s: string): Inline[] => {
  const [b] = parse(s);
  return b?.type === 'paragraph' ? b.children : [];
};

/** The tree as a short text that a person can read. */
function show(nodes: readonly Inline[]): string {
  return nodes
    .map((n) => {
      switch (n.type) {
        case 'text':
          return n.text;
        case 'break':
          return '/';
        case 'code':
          return `{${n.text}}`;
        case 'mention':
          return `@[${n.name}]`;
        case 'emoji':
          return n.text;
        case 'link':
          return `<${show(n.children)}|${n.href}${n.host && `|${n.host}`}>`;
        default:
          return `${n.type}(${show(n.children)})`;
      }
    })
    .join('');
}

function flat(blocks: readonly Block[]): string {
  return blocks
    .map((b) => {
      switch (b.type) {
        case 'paragraph':
          return `p:${show(b.children)}`;
        case 'code':
          return `code(${b.language}):${b.text}`;
        case 'quote':
          return `quote[${flat(b.children)}]`;
        case 'table':
          return 'table';
        case 'list':
          return `${b.ordered ? 'ol' : 'ul'}[${b.items.map((item) => `${b.ordered ? item.number : ''}${flat(item.blocks)}`).join('; ')}]`;
      }
    })
    .join(' ');
}

describe('inline', () => {
  it.each([
    ['plain', 'plain'],
    ['**bold** and *thin*', 'strong(bold) and em(thin)'],
    ['__bold__ and _thin_', 'strong(bold) and em(thin)'],
    ['~~gone~~', 'del(gone)'],
    ['**bold *and thin* too**', 'strong(bold em(and thin) too)'],
    ['2 * 3 * 4', '2 * 3 * 4'],
    ['snake_case_name', 'snake_case_name'],
    ['*open', '*open'],
    ['\\*not\\*', '*not*'],
    ['`a*b*`', '{a*b*}'],
    ['`` a`b ``', '{a`b}'],
    ['`open', '`open'],
    ['one\ntwo', 'one/two'],
    ['@ann, hi', '@[ann], hi'],
    ['@Ann.', '@[ann].'],
    ['ann@example.org', '<ann@example.org|mailto:ann@example.org>'],
    ['www.example.org', '<www.example.org|https://www.example.org/>'],
    ['[bank.com](www.evil.org)', '<bank.com|https://www.evil.org/|www.evil.org>'],
    ['`@ann`', '{@ann}'],
    ['see https://example.org/a_(b), ok', 'see <https://example.org/a_(b)|https://example.org/a_(b)>, ok'],
    ['(https://example.org/)', '(<https://example.org/|https://example.org/>)'],
    ['[text](https://example.org)', '<text|https://example.org/>'],
    ['[bank.com](https://evil.org)', '<bank.com|https://evil.org/|evil.org>'],
    ['[www.bank.com](https://bank.com/x)', '<www.bank.com|https://bank.com/x>'],
    ['[bücher.example](https://bücher.example)', '<bücher.example|https://xn--bcher-kva.example/>'],
    ['[x](javascript:alert(1))', '[x](javascript:alert(1))'],
    ['[x](data:text/html,y)', '[x](data:text/html,y)'],
    ['[x](/api/v1/me)', '[x](/api/v1/me)'],
    ['<script>alert(1)</script>', '<script>alert(1)</script>'],
    ['[*a* https://b.org](https://c.org)', '<em(a) https://b.org|https://c.org/|c.org>'],
  ])('%s', (given, want) => {
    expect(show(inline(given))).toBe(want);
  });
});

describe('blocks', () => {
  it.each([
    ['a\n\nb', 'p:a p:b'],
    ['```go\nfunc main() {}\n```\nafter', 'code(go):func main() {} p:after'],
    ['``` two words\nx\n```', 'code():two words\nx'],
    ['```\nnot closed\n\n*x*', 'code():not closed\n\n*x*'],
    ['> one\n> two\nthree', 'quote[p:one/two] p:three'],
    ['> > deep', 'quote[quote[p:deep]]'],
    ['- a\n- b\n  - c', 'ul[p:a; p:b ul[p:c]]'],
    ['3. a\n4. b', 'ol[3p:a; 4p:b]'],
    ['  - a\n  - b', 'ul[p:a; p:b]'],
    ['-not a list', 'p:-not a list'],
    ['# not a heading', 'p:# not a heading'],
  ])('%j', (given, want) => {
    expect(flat(parse(given))).toBe(want);
  });
});

describe('bad input', () => {
  it.each([
    '*',
    '**a ',
    '*a ',
    '_a',
    '`',
    '` `` ',
    '[',
    '[a](',
    '> ',
    '- ',
    '\\',
    '@',
    '<',
    'https://',
    '~~a ',
    '***',
    '[](',
    '![',
    '1. ',
    '||',
    '||a ',
    '|',
    '| a |\n',
    '|-|\n',
    '- [ ] ',
    '- [x] a\n  ',
    '- a\n\n',
  ])('%j many times is not slow and loses nothing', (unit) => {
    const text = unit.repeat(Math.ceil(16_384 / unit.length));
    const start = process.cpuUsage();
    parse(text);
    expect(process.cpuUsage(start).user / 1000).toBeLessThan(500);
  });
});

it('knows emoji from words', () => {
  expect(onlyEmoji('🎉🎉')).toBe(true);
  expect(onlyEmoji('👩‍💻 🇸🇪 ❤️')).toBe(true);
  expect(onlyEmoji('ok 🎉')).toBe(false);
  const known = (name: string) => name === 'parrot';
  expect(onlyEmoji(':parrot: 🎉:parrot:', known)).toBe(true);
  expect(onlyEmoji(':parrot: :tukan:', known)).toBe(false);
  expect(onlyEmoji(':parrot:')).toBe(false);
  expect(onlyEmoji('12')).toBe(false);
  expect(onlyEmoji(' ')).toBe(false);
});

// The server's tests read the same table.
it.each(table)('$text says without marks what the server says', ({ text, line }) => expect(plain(text)).toBe(line));

it('keeps a spoiler that is cut a spoiler', () => {
  const text = `The end: ||it was${' the butler'.repeat(40)}||`;
  expect(plain(excerptOf(text))).toBe('The end: […]');
  expect(excerptOf('short ||x')).toBe('short ||x');
});

it('names between colons are emoji of the server, but not within words, addresses and code', () => {
  const names = (text: string) => {
    const all: string[] = [];
    const walk = (nodes: readonly Inline[]) => {
      for (const n of nodes) {
        if (n.type === 'emoji') all.push(n.name);
        if ('children' in n) walk(n.children);
      }
    };
    for (const b of parse(text)) if (b.type === 'paragraph') walk(b.children);
    return all;
  };
  expect(names('look :parrot:, **:party_parrot:** (:c++:)')).toEqual(['parrot', 'party_parrot', 'c++']);
  expect(names(':aa::bb: 好:aa:')).toEqual(['aa', 'bb', 'aa']);
  expect(names('12:30:45, a:bb:, :bb:c, :_a_:, `:parrot:`, https://a.example/:parrot: and ::parrot::')).toEqual([]);
  expect(plain('_:party_parrot:_ :a_b: *c*')).toBe(':party_parrot: :a_b: c');
});
