// How a picture is seen through the screen: pure.

/** scale 1: the whole picture; x and y: pixels from the middle of the screen to that of the picture. */
export interface View {
  readonly scale: number;
  readonly x: number;
  readonly y: number;
}

/** Sizes in pixels: of the screen, and of the picture where the whole of it is seen. */
export interface Sizes {
  screen: { width: number; height: number };
  picture: { width: number; height: number };
}

export const whole: View = { scale: 1, x: 0, y: 0 };

const largest = 8;

/** A picture no larger than the screen is in its middle, and a larger one leaves no gap at an edge. */
function held(v: View, { screen, picture }: Sizes): View {
  const hold = (at: number, size: number, room: number) => {
    const slack = Math.max(0, (size * v.scale - room) / 2);
    return Math.min(slack, Math.max(-slack, at));
  };
  return {
    scale: v.scale,
    x: hold(v.x, picture.width, screen.width) || 0,
    y: hold(v.y, picture.height, screen.height) || 0,
  };
}

/** Larger or smaller by a factor; the point of the picture under x, y from the middle of the screen stays there. */
export function zoom(v: View, factor: number, x: number, y: number, s: Sizes): View {
  const scale = Math.min(largest, Math.max(1, v.scale * factor));
  const by = scale / v.scale;
  return held({ scale, x: x - (x - v.x) * by, y: y - (y - v.y) * by }, s);
}

export const pan = (v: View, x: number, y: number, s: Sizes): View => held({ ...v, x: v.x + x, y: v.y + y }, s);

/** The size of a picture that is as large as it is, or as the screen allows. */
export function fit(
  p: { width?: number | undefined; height?: number | undefined },
  screen: Sizes['screen'],
): Sizes['picture'] {
  const { width = screen.width, height = screen.height } = p.width && p.height ? p : {};
  const scale = Math.min(1, screen.width / width, screen.height / height);
  return { width: Math.max(1, Math.round(width * scale)), height: Math.max(1, Math.round(height * scale)) };
}
