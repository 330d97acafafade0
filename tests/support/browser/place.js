// Where to press this element: the middle of its box, which must be in view and under nothing else. Answers with the
// point and the box, or with the reason why a person could not press it yet.
function () {
  const deepest = (x, y) => {
    let hit = document.elementFromPoint(x, y);
    while (hit?.shadowRoot) {
      const inner = hit.shadowRoot.elementFromPoint(x, y);
      if (!inner || inner === hit) break;
      hit = inner;
    }
    return hit;
  };
  const isWithin = (node, whole) => {
    for (; node; node = node.assignedSlot ?? node.parentNode ?? node.host) if (node === whole) return true;
    return false;
  };
  const middle = (element) => {
    // Text that runs over two lines has two boxes, and nothing in the middle of both.
    const box = [...element.getClientRects()].find((each) => each.width > 0 && each.height > 0);
    return box && {x: box.x + box.width / 2, y: box.y + box.height / 2, bounds: [box.x, box.y, box.width, box.height]};
  };
  const describe = (element) => element.cloneNode(false).outerHTML.slice(0, 200);

  const element = this.nodeType === Node.ELEMENT_NODE ? this : this.parentElement;
  if (!element?.isConnected) return {why: 'it is gone'};
  if (element.matches(':disabled') || element.ariaDisabled === 'true') return {why: 'it is disabled'};
  let why = 'it has no box';
  // A switch may be drawn by its label alone.
  for (const target of [element, ...element.labels ?? []]) {
    let at = middle(target);
    if (!at) continue;
    if (!isWithin(deepest(at.x, at.y), target)) {
      target.scrollIntoView({block: 'center', inline: 'center', behavior: 'instant'});
      at = middle(target);
    }
    const hit = at && deepest(at.x, at.y);
    if (isWithin(hit, target)) return at;
    why = `${describe(target)} is ${hit ? `under ${describe(hit)}` : 'out of the window'}`;
  }
  return {why};
}
