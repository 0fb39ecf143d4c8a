/**
 * Follows the visible part of the page, so that the keyboard of a phone does
 * not cover what one writes. Returns how to stop.
 */
export function followViewport(): () => void {
  const view = window.visualViewport;
  if (!view) return () => undefined;
  const fit = () => {
    if (view.scale > 1.01) return; // pinched: what is enlarged stays as large
    document.documentElement.style.setProperty('--viewport', `${view.height}px`);
    // iOS scrolls the page under its keyboard; the page itself never scrolls.
    if (view.offsetTop > 0) scrollTo(0, 0);
  };
  fit();
  view.addEventListener('resize', fit);
  view.addEventListener('scroll', fit);
  return () => {
    view.removeEventListener('resize', fit);
    view.removeEventListener('scroll', fit);
  };
}
