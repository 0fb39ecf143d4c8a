// What is pasted from elsewhere, made into the text of a message.

const bytes = new TextEncoder();

/**
 * Text without what no message may have: Word's and form feeds' line ends become
 * line feeds, sequences that colour a terminal go, and so do other control
 * characters.
 */
export function clean(text: string): string {
  let out = '';
  let kept = 0; // what is before this is in out
  for (let i = 0; i < text.length; ) {
    const end = unwanted(text, i);
    if (end === i) {
      i++;
      continue;
    }
    out += text.slice(kept, i) + ('\v\f\u0085\u2028\u2029'.includes(text.charAt(i)) ? '\n' : '');
    i = kept = end;
  }
  return kept === 0 ? text : out + text.slice(kept);
}

/** The end of what has to go at i; i if nothing has. */
function unwanted(text: string, i: number): number {
  const code = text.charCodeAt(i);
  if (code === 0x1b) return afterEscape(text, i + 1);
  if (code === 0x2028 || code === 0x2029) return i + 1;
  const control = (code < 0x20 && code !== 0x09 && code !== 0x0a && code !== 0x0d) || (code >= 0x7f && code <= 0x9f);
  return control ? i + 1 : i;
}

/** The end of a terminal's sequence (ECMA-48) whose escape character is before i. */
function afterEscape(text: string, i: number): number {
  const kind = text.charAt(i);
  const from = i + 1;
  if (kind === '[') {
    // Parameters, then a letter.
    let end = from;
    while (end - from < 64 && text.charCodeAt(end) >= 0x20 && text.charCodeAt(end) < 0x40) end++;
    return text.charCodeAt(end) >= 0x40 && text.charCodeAt(end) < 0x7f ? end + 1 : from;
  }
  if (kind === ']') {
    // A title or a link, up to a bell or another escape.
    for (let end = from; end - from < 2048 && end < text.length; end++) {
      if (text.charAt(end) === '\u0007') return end + 1;
      if (text.charAt(end) === '\u001b') return text.charAt(end + 1) === '\\' ? end + 2 : end;
    }
    return from;
  }
  return i;
}

/** As much of text as limit bytes hold, without half a character. Reads no more of it than that. */
export function cut(text: string, limit: number): string {
  const buffer = new Uint8Array(Math.max(0, limit));
  return text.slice(0, bytes.encodeInto(text.slice(0, limit), buffer).read);
}

/** How many bytes a text takes. */
export const bytesOf = (text: string): number => bytes.encode(text).length;
