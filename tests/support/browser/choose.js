// Sets a value that people pick rather than type: an option of a select by its value or its text, a date, a colour.
function (value) {
  if (this instanceof HTMLSelectElement) {
    const option = [...this.options].find((each) => each.value === value || each.text.trim() === value);
    if (!option) return `there is no ${value} among ${[...this.options].map((each) => each.text.trim()).join(', ')}`;
    if (option.disabled) return `${value} is disabled`;
    this.value = option.value;
  } else if (this instanceof HTMLInputElement) {
    this.value = value;
    if (this.value !== value) return `an input of type ${this.type} does not take it, and has ${this.value}`;
  } else {
    return `it is no select and no input: ${this.cloneNode(false).outerHTML}`;
  }
  this.dispatchEvent(new Event('input', {bubbles: true, composed: true}));
  this.dispatchEvent(new Event('change', {bubbles: true}));
  return null;
}
