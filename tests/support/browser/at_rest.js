// Waits until what moves has arrived: colours in between are nobody's choice. What moves for ever is not waited for.
(async () => {
  const trees = (root) => [root, ...[...root.querySelectorAll('*')].filter((each) => each.shadowRoot)
    .flatMap((each) => trees(each.shadowRoot))];
  const moving = trees(document).flatMap((tree) => tree.getAnimations())
    .filter((animation) => animation.playState === 'running' && Number.isFinite(animation.effect?.getComputedTiming().endTime));
  await Promise.allSettled(moving.map((animation) => animation.finished));
})()
