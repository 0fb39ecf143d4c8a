/** Keeps a textarea as high as its text; the style sheet says where it ends. */
export function grow(value: () => string) {
  return (node: HTMLTextAreaElement): void => {
    $effect(() => {
      value();
      node.style.height = 'auto';
      node.style.height = `${node.scrollHeight + node.offsetHeight - node.clientHeight}px`;
    });
  };
}
