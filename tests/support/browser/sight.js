// The text that a person can see on the page, open shadow roots included, scrolled or not. What is there for screen
// readers alone is not seen; what somebody has typed is.
(() => {
  const UNSEEN = new Set(['script', 'style', 'template', 'noscript', 'head', 'option', 'canvas', 'iframe', 'title',
    'desc', 'metadata', 'defs', 'audio', 'video', 'object']);
  const lines = [''];
  const say = (text) => { lines[lines.length - 1] += text; };
  const newLine = () => { if (lines.at(-1).trim()) lines.push(''); };

  const isClipped = (element, style) => (style.position === 'absolute' || style.position === 'fixed')
    && (style.clipPath === 'inset(50%)' || style.clipPath === 'inset(100%)' || /^rect\((0|1)px/.test(style.clip)
      || (style.overflow !== 'visible' && element.offsetWidth <= 1 && element.offsetHeight <= 1));

  // Above or left of everything, where nobody can scroll to: where links to skip things wait for the focus.
  const isBeyond = (element, style) => {
    if (style.position !== 'absolute' && style.position !== 'fixed') return false;
    const box = element.getBoundingClientRect();
    const [x, y] = style.position === 'fixed' ? [0, 0] : [scrollX, scrollY];
    return box.right + x <= 0 || box.bottom + y <= 0;
  };

  const field = (element) => {
    if (element.localName === 'select') return [...element.selectedOptions].map((option) => option.text).join(' ');
    const drawn = element.localName === 'textarea' || !['hidden', 'password', 'checkbox', 'radio', 'file', 'range',
      'color', 'image'].includes(element.type);
    return drawn ? element.value || element.placeholder : '';
  };

  const look = (node, seen) => {
    if (node.nodeType === Node.TEXT_NODE) { if (seen) say(node.data.replace(/\s+/g, ' ')); return; }
    if (node.nodeType !== Node.ELEMENT_NODE || UNSEEN.has(node.localName)) return;
    const style = getComputedStyle(node);
    const hasNoBox = style.display !== 'contents' && !node.checkVisibility();
    if (hasNoBox || style.opacity === '0' || isClipped(node, style) || isBeyond(node, style)) return;
    const isVisible = style.visibility === 'visible';
    const isBlock = !/^(inline|contents)/.test(style.display);
    if (isBlock) newLine();
    if (['input', 'textarea', 'select'].includes(node.localName)) {
      if (isVisible) say(` ${field(node)} `);
    } else if (node.localName === 'br') {
      newLine();
    } else {
      let children = (node.shadowRoot ?? node).childNodes;
      if (node.localName === 'slot' && node.assignedNodes().length) children = node.assignedNodes();
      if (node.localName === 'details' && !node.open) children = node.querySelectorAll(':scope > summary:first-of-type');
      for (const child of children) look(child, isVisible);
    }
    if (isBlock) newLine(); else if (/^inline-/.test(style.display)) say(' ');
  };
  look(document.documentElement, true);
  return lines.map((line) => line.replace(/\s+/g, ' ').trim()).filter(Boolean).join('\n');
})()
