/** Keeps a textarea as high as its text, also when it gets wider or narrower; the style sheet says where it ends. */
export function grow(value: () => string) {
  return (node: HTMLTextAreaElement) => {
    const fit = () => {
      node.style.height = 'auto';
      node.style.height = `${node.scrollHeight + node.offsetHeight - node.clientHeight}px`;
    };
    $effect(() => {
      value();
      fit();
    });
    let width = node.clientWidth;
    const resized = new ResizeObserver(() => {
      if (width !== node.clientWidth) fit();
      width = node.clientWidth;
    });
    resized.observe(node);
    return () => resized.disconnect();
  };
}
