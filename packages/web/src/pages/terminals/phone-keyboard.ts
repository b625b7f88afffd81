/**
 * Where a phone's keyboard covers the page instead of making it smaller, the height that is left is told to the style sheet, and the
 * page stays where it is.
 * @returns stop
 */
export function onPhoneKeyboard(): () => void {
  const seen = window.visualViewport;
  if (seen === null) return () => {};
  const { style } = document.documentElement;
  const fit = () => {
    // Zoomed in with two fingers is not a keyboard.
    if (seen.scale > 1.01) return;
    const covered = window.innerHeight - seen.height > 80;
    if (covered) style.setProperty('--seen', `${seen.height}px`);
    else style.removeProperty('--seen');
    if (covered && seen.offsetTop > 0) scrollTo(0, 0);
  };
  seen.addEventListener('resize', fit);
  seen.addEventListener('scroll', fit);
  fit();
  return () => {
    seen.removeEventListener('resize', fit);
    seen.removeEventListener('scroll', fit);
    style.removeProperty('--seen');
  };
}
