'use strict';
(function () {
  var box = document.querySelector('.list');
  var list = [].slice.call(box.children);
  var bar = document.querySelector('.bar');
  var text = bar.querySelector('[type=search]');
  var only = bar.querySelector('[type=checkbox]');
  var order = bar.querySelector('select');
  var told = bar.querySelector('output');
  var run = document.querySelector('.run');
  var scroll = document.querySelector('.scroll');
  var overview = document.querySelector('.overview');
  var bars = {}, words = [], later;

  [].forEach.call(document.querySelectorAll('.run a'), function (link) {
    bars[link.getAttribute('href').slice(1)] = link;
  });

  function show() {
    var call = /^#e[0-9]+$/.test(location.hash) && document.getElementById(location.hash.slice(1));
    if (!call)
      return;
    call.hidden = false;
    call.open = true;
    call.scrollIntoView({ block: 'start' });
  }

  // What is read of a call is kept, since there may be many of them.
  function filter() {
    var word = text.value.toLowerCase(), shown = 0;
    list.forEach(function (call, i) {
      var on = !only.checked || call.classList.contains('failed');
      if (on && word) {
        if (words[i] === undefined)
          words[i] = call.textContent.toLowerCase();
        on = words[i].indexOf(word) >= 0;
      }
      call.hidden = !on;
      if (bars[call.id])
        bars[call.id].classList.toggle('off', !on);
      shown += on;
    });
    told.textContent = shown === list.length ? '' : shown + ' of ' + list.length;
  }

  // Out of the page meanwhile: each move within it would be looked at by every rule for the first and the last of them.
  function sort() {
    var by = order.value, place = box.nextSibling, parent = box.parentNode, sorted = list.slice();
    if (by !== 'n')
      sorted.sort(function (a, b) { return (b.dataset[by] || -1) - (a.dataset[by] || -1); });
    parent.removeChild(box);
    sorted.forEach(function (call) { box.appendChild(call); });
    parent.insertBefore(box, place);
  }

  // From the page alone: what is cut there cannot be copied.
  function asCommand(call) {
    var side = call.querySelector('.sides > section');
    var quote = function (word) { return "'" + word.replace(/'/g, "'\\''") + "'"; };
    var headers = side.querySelector('pre.headers'), body = side.querySelector('pre:not(.headers)');
    var said = ['curl ' + quote(call.dataset.url)];
    if (call.dataset.method !== 'POST' || !body)
      said.push('-X ' + quote(call.dataset.method));
    (headers ? headers.textContent.split('\n') : []).forEach(function (line) {
      if (line)
        said.push('-H ' + quote(line));
    });
    if (body)
      said.push('--data-binary ' + quote(body.textContent));
    return said.join(' \\\n  ') + '\n';
  }

  function copy(words, button) {
    var field = document.createElement('textarea');
    field.value = words;
    document.body.appendChild(field);
    field.select();
    button.textContent = document.execCommand('copy') ? 'copied' : 'not copied';
    field.remove();
  }

  // A part of the run, from 0 to 1, fills the window; the picture is stretched, and what is written in it is not.
  function zoom(from, to) {
    var brush = overview.querySelector('.brush'), wide = run.viewBox.baseVal.width;
    var z = scroll.clientWidth / ((to - from) * wide);
    var whole = from <= 0 && to >= 1;
    run.classList.toggle('zoomed', !whole || z < 1);
    run.style.setProperty('--z', z);
    run.style.width = z * wide + 'px';
    ticks(Math.ceil(1 / z));
    scroll.scrollLeft = from * z * wide;
    brush.setAttribute('x', 600 * from);
    brush.setAttribute('width', 600 * (to - from));
    overview.querySelector('output').textContent = whole ? 'drag to look at a part of the run'
      : Math.round(100 * from) + ' to ' + Math.round(100 * to) + ' % of the run';
  }

  // Each so many of the marks of time, that they do not stand in one another.
  function ticks(each) {
    [].forEach.call(run.querySelectorAll('.tick'), function (tick, i) {
      tick.style.display = tick.nextElementSibling.style.display = i % each ? 'none' : '';
    });
  }

  function natural() {
    ticks(1);
    run.classList.remove('zoomed');
    run.style.width = '';
    follow();
  }

  // The brush shows what of the picture is seen.
  function follow() {
    var brush = overview.querySelector('.brush'), wide = run.getBoundingClientRect().width || 1;
    brush.setAttribute('x', 600 * scroll.scrollLeft / wide);
    brush.setAttribute('width', Math.min(600, 600 * scroll.clientWidth / wide));
  }

  function brushing() {
    var strip = overview.querySelector('svg'), from;
    var at = function (event) {
      var box = strip.getBoundingClientRect();
      return Math.min(1, Math.max(0, (event.clientX - box.left) / box.width));
    };
    strip.addEventListener('pointerdown', function (event) {
      from = at(event);
      if (event.isTrusted)
        strip.setPointerCapture(event.pointerId);
    });
    strip.addEventListener('pointermove', function (event) {
      if (from === undefined)
        return;
      var to = at(event);
      if (Math.abs(to - from) > 0.004)
        zoom(Math.min(from, to), Math.max(from, to));
    });
    strip.addEventListener('pointerup', function (event) {
      if (Math.abs(at(event) - from) <= 0.004)
        scroll.scrollLeft = from * run.getBoundingClientRect().width - scroll.clientWidth / 2;
      from = undefined;
    });
    overview.querySelector('button').addEventListener('click', function () { zoom(0, 1); });
    strip.addEventListener('dblclick', natural);
    scroll.addEventListener('scroll', follow);
    overview.hidden = false;
    follow();
    overview.querySelector('output').textContent = 'drag to look at a part of the run, click to go there';
  }

  text.addEventListener('input', function () {
    clearTimeout(later);
    later = setTimeout(filter, 150);
  });
  only.addEventListener('change', filter);
  order.addEventListener('change', sort);
  window.addEventListener('hashchange', show);
  document.addEventListener('toggle', function (event) {
    var call = event.target;
    if (!call.open || !call.dataset || !call.dataset.url || call.querySelector('.copy'))
      return;
    var place = document.createElement('p'), button = document.createElement('button');
    place.className = 'copy';
    button.textContent = 'copy as curl';
    button.addEventListener('click', function () { copy(asCommand(call), button); });
    place.appendChild(button);
    call.insertBefore(place, call.querySelector('.sides'));
  }, true);
  document.addEventListener('click', function (event) {
    var link = event.target.closest && event.target.closest('a[href^="#e"]');
    if (!link || link.getAttribute('href') !== location.hash)
      return;
    event.preventDefault();
    show();
  });
  bar.style.display = 'flex';
  if (run)
    brushing();
  show();
})();
