// The server's tests read the same table, so that whom the page shows is whom a
// message notifies.
import { describe, expect, it } from 'vitest';
import table from '../../../../internal/domain/testdata/mentions.json';
import { parse, type Block, type Inline } from './markdown';

function nodesOf(blocks: readonly Block[]): Inline[] {
  const inside = (nodes: readonly Inline[]): Inline[] =>
    nodes.flatMap((n) => ('children' in n ? [n, ...inside(n.children)] : [n]));
  return blocks.flatMap((b) => {
    if (b.type === 'paragraph') return inside(b.children);
    if (b.type === 'table') return inside([b.head, ...b.rows].flat(2));
    if (b.type === 'quote') return nodesOf(b.children);
    return b.type === 'list' ? b.items.flatMap((item) => nodesOf(item.blocks)) : [];
  });
}

describe('mentions', () => {
  it.each(table.mentions)('$text', ({ text, names, room }) => {
    const named = new Set(nodesOf(parse(text)).flatMap((n) => (n.type === 'mention' ? [n.name] : [])));
    expect(named.delete('room')).toBe(room);
    expect([...named]).toEqual(names);
  });
});

describe('addresses', () => {
  const cases: { text: string; links: string[]; to?: string[] }[] = table.addresses;
  it.each(cases)('$text', ({ text, links, to }) => {
    const said = (nodes: readonly Inline[]): string =>
      nodes.map((n) => ('text' in n ? n.text : 'children' in n ? said(n.children) : '')).join('');
    const found = nodesOf(parse(text)).filter((n) => n.type === 'link');
    expect(found.map((n) => said(n.children))).toEqual(links);
    if (to) expect(found.map((n) => n.href)).toEqual(to);
  });
});
