// Texts as people type them, and what each must look like: emphasis, links and
// quotations only where they are meant.
import { describe, expect, it } from 'vitest';
import { parse, type Block, type Inline, type Item } from './markdown';

/** The tree as a short text that a person can read. */
function show(nodes: readonly Inline[]): string {
  return nodes
    .map((n) => {
      switch (n.type) {
        case 'break':
          return '/';
        case 'code':
          return `{${n.text}}`;
        case 'mention':
          return `@[${n.name}]`;
        case 'emoji':
          return n.text;
        case 'link':
          return `<${show(n.children)}>`;
        case 'text':
          return n.text;
        default:
          return `${n.type}(${show(n.children)})`;
      }
    })
    .join('');
}

function flat(blocks: readonly Block[]): string {
  return blocks
    .map((b) => {
      if (b.type === 'paragraph') return show(b.children);
      if (b.type === 'code') return `code(${b.language}):${b.text}`;
      if (b.type === 'quote') return `quote[${flat(b.children)}]`;
      if (b.type === 'table') {
        const rows = [b.head, ...b.rows].map((row) => row.map(show).join(','));
        return `table[${b.align.map((a) => ({ start: '-', center: '^', end: '>' })[a]).join('')} ${rows.join('; ')}]`;
      }
      const task = (item: Item) => (item.task ? `[${item.task.n}${item.task.done ? 'x' : ' '}]` : '');
      const items = b.items.map((i) => `${b.ordered ? `${i.number}. ` : ''}${task(i)}${flat(i.blocks)}`);
      return `list[${items.join('; ')}]`;
    })
    .join(' | ');
}

const asTyped = [
  // Shrugs and faces
  '¯\\_(ツ)_/¯',
  '>_<',
  '>.< why',
  '>:(',
  '>_> <_<',
  '-_- and -_-',
  '^_^ ^_^',
  '*_* *_*',
  '(*_*)',
  'o_O and O_o',
  'T_T',
  ':* :*',
  '<3 and <333',
  // Formulas
  '2*3*4',
  '2 * 3 * 4',
  'a*b + c*d',
  'x = a**2 + b**2',
  '2**10',
  '5*(3+2)*4',
  'E = m*c^2 * k',
  'x_1 + x_2',
  'a_{ij} = b_{ji}',
  '>3 days',
  '>= 5 and <= 7',
  '1 < 2 > 0',
  '~5 and ~6',
  '-5 degrees',
  '+1',
  // Code without marks of code
  'snake_case_name',
  'MAX_SIZE and MIN_SIZE',
  '__init__',
  '__init__.py and __main__.py',
  'f(*args, **kwargs)',
  'char *p, *q;',
  'int* a; int* b',
  '(*p)->x = (*q)->x',
  'COUNT(*), SUM(*)',
  'SELECT * FROM a, b WHERE a.* = b.*',
  "$_POST['a'] and $_GET['b']",
  '*/5 * * * *',
  '0 */2 * * *',
  '/* one */ code /* two */',
  '/** doc */',
  '#include <stdio.h>',
  'a[i](x) and b[j](y)',
  'if (a < b && c > d)',
  'C++ and C#',
  'arr[0][1]',
  // Paths and globs
  'src/**/*.ts and lib/**/*.js',
  '*.ts and *.js',
  'rm -rf *.o *.a',
  '~/src/~tmp',
  'C:\\_temp\\*.txt',
  '\\\\server\\_share\\*',
  '/usr/lib/_private/_x',
  'https',
  'file_name_v2_final.txt',
  // Names, prices, times
  'D&D @ 8',
  'AT&T',
  '5* hotel, 4* food',
  'F***ing',
  'f**k',
  'Ben_and_Jerry',
  '10:30-11:00',
  '#general',
  '# not a heading',
  '...',
  '****',
  '**',
  '_',
  '1.5 and 2.5',
  '1986.No',
  // Bars
  'if (a || b || c)',
  'x||y||z',
  '|| open',
  '| a | b |',
  '[ ] [x]',
];

const shown: [string, string][] = [
  ['*yes*', 'em(yes)'],
  ['_yes_', 'em(yes)'],
  ['**Note:** it works', 'strong(Note:) it works'],
  ['**bold**text', 'strong(bold)text'],
  ['***both***', 'em(strong(both))'],
  ['~~old~~ new', 'del(old) new'],
  ['(*aside*), "*quoted*"', '(em(aside)), "em(quoted)"'],
  ['*sighs*, *shrugs*', 'em(sighs), em(shrugs)'],
  ['really?*yes*', 'really?em(yes)'],
  ['这是**重点**内容', '这是strong(重点)内容'],
  ['他说**“你好”**了', '他说strong(“你好”)了'],
  ['これは*強調*です', 'これはem(強調)です'],
  ['**`code`** and *`x`*', 'strong({code}) and em({x})'],
  ['**https://x.org/a**', 'strong(<https://x.org/a>)'],
  ['_https://x.org/a_b_', 'em(<https://x.org/a_b>)'],
  ['*@ann* and _@bob_', 'em(@[ann]) and em(@[bob])'],
  ['\\*not\\* and snake\\_case', '*not* and snake_case'],
  ['2. two\n5. five', 'list[2. two; 5. five]'],
  ['1. one\n\n2. two', 'list[1. one; 2. two]'],
  ['- a\n\n  more\n\n- b\n\nafter', 'list[a | more; b] | after'],
  ['- a\n  1. b\n     - c\n- d', 'list[a | list[1. b | list[c]]; d]'],
  ['||secret|| and **||both||**', 'spoiler(secret) and strong(spoiler(both))'],
  ['he did it: ||it was *Ann*||!', 'he did it: spoiler(it was em(Ann))!'],
  ['- [ ] buy\n- [x] eat', 'list[[1 ]buy; [2x]eat]'],
  ['* [X] a\n  1. [ ] b', 'list[[1x]a | list[1. [2 ]b]]'],
  ['- [y] no\n- [ ]no\n- [x](https://x.org)', 'list[[y] no; [ ]no; <x>]'],
  ['a | b\n- | -\n1 | 2', 'table[-- a,b; 1,2]'],
  ['| a | b | c |\n|:--|:-:|--:|\n| 1 |\n| 1 | 2 | 3 | 4 |', 'table[-^> a,b,c; 1,,; 1,2,3 | 4]'],
  ['say\n| `a\\|b` |\n| --- |\n| \\|\\|x\\|\\| |\nend', 'say | table[- {a|b}; spoiler(x)] | end'],
  ['| a |\n|---|\n- b', 'table[- a] | list[b]'],
  ['I was born in\n1986. It rained.', 'I was born in/1986. It rained.'],
  ['1986. A good year', 'list[1986. A good year]'],
  ['Steps:\n1. go\n2. run', 'Steps: | list[1. go; 2. run]'],
  ['- a\n- b', 'list[a; b]'],
  ['> quoted\nanswer', 'quote[quoted] | answer'],
  ['>quoted', 'quote[quoted]'],
  ['>"quoted"', 'quote["quoted"]'],
  ['> 5 is more', 'quote[5 is more]'],
  ['>> twice', 'quote[quote[twice]]'],
  ['use `a_b_c` and `*`', 'use {a_b_c} and {*}'],
  ['`` a`b ``', '{a`b}'],
  ['```sh\nrm *\n```', 'code(sh):rm *'],
  ['a &amp; b', 'a &amp; b'],
];

describe('stays as it was typed', () => {
  it.each(asTyped)('%s', (text) => expect(flat(parse(text))).toBe(text));
});

describe('looks as it was meant', () => {
  it.each(shown)('%j', (text, want) => expect(flat(parse(text))).toBe(want));
});

// Examples of CommonMark 0.31.2 for the forms that messages have and where we
// do the same: code spans, emphasis, links, autolinks, fenced code. Left out:
// headings, rules, images, HTML, entities, titles, reference links,
// indented code, lazy continuation, and emphasis within words of letters.
describe('CommonMark', () => {
  it.each([
    ['328', '`foo`', '{foo}'],
    ['329', '`` foo ` bar ``', '{foo ` bar}'],
    ['330', '` `` `', '{``}'],
    ['338', '`foo\\`bar`', '{foo\\}bar`'],
    ['341', '*foo`*`', '*foo{*}'],
    ['347', '```foo``', '```foo``'],
    ['348', '`foo', '`foo'],
    ['349', '`foo``bar``', '`foo{bar}'],
    ['350', '*foo bar*', 'em(foo bar)'],
    ['351', 'a * foo bar*', 'a * foo bar*'],
    ['357', '_foo bar_', 'em(foo bar)'],
    ['358', '_ foo bar_', '_ foo bar_'],
    ['360', 'foo_bar_', 'foo_bar_'],
    ['366', '_foo*', '_foo*'],
    ['367', '*foo bar *', '*foo bar *'],
    ['370', '*(*foo*)*', 'em((em(foo)))'],
    ['378', '**foo bar**', 'strong(foo bar)'],
    ['379', '** foo bar**', '** foo bar**'],
    ['382', '__foo bar__', 'strong(foo bar)'],
    ['385', '__foo, __bar__, baz__', 'strong(foo, strong(bar), baz)'],
    ['403', '*foo [bar](https://u.rl)*', 'em(foo <bar>)'],
    ['404', '*foo\nbar*', 'em(foo/bar)'],
    ['409', '*foo **bar** baz*', 'em(foo strong(bar) baz)'],
    ['413', '***foo** bar*', 'em(strong(foo) bar)'],
    ['414', '*foo **bar***', 'em(foo strong(bar))'],
    ['419', '** is not an empty emphasis', '** is not an empty emphasis'],
    ['436', 'foo ***', 'foo ***'],
    ['442', '**foo*', '*em(foo)'],
    ['443', '*foo**', 'em(foo)*'],
    ['468', '****foo****', 'strong(strong(foo))'],
    ['471', '*foo _bar* baz_', 'em(foo _bar) baz_'],
    ['472', '*foo __bar *baz bim__ bam*', 'em(foo strong(bar *baz bim) bam)'],
    ['475', '*[bar*](https://u.rl)', '*<bar*>'],
    ['518', '[foo [bar](https://u.rl)](https://u.rl)', '[foo <bar>](<https://u.rl>)'],
    ['594', '<http://foo.bar.baz>', '<http://foo.bar.baz>'],
    ['119', '```\n<\n >\n```', 'code():<\n >'],
    ['122', '```\naaa\n~~~\n```', 'code():aaa\n~~~'],
    ['228', '> Foo\n> bar\n> baz', 'quote[Foo/bar/baz]'],
    ['301', '- foo\n- bar', 'list[foo; bar]'],
  ])('example %s: %j', (_n, text, want) => expect(flat(parse(text))).toBe(want));
});
