'use strict';
(function () {
  var list = [].slice.call(document.querySelectorAll('main > details'));
  var bar = document.querySelector('.bar');
  var text = bar.querySelector('[type=search]');
  var only = bar.querySelector('[type=checkbox]');
  var told = bar.querySelector('output');
  var later;

  function show() {
    var call = /^#e[0-9]+$/.test(location.hash) && document.getElementById(location.hash.slice(1));
    if (!call)
      return;
    call.hidden = false;
    call.open = true;
    call.scrollIntoView({ block: 'start' });
  }

  function filter() {
    var words = text.value.toLowerCase(), shown = 0;
    list.forEach(function (call) {
      var on = (!only.checked || call.classList.contains('failed')) &&
        (!words || call.textContent.toLowerCase().indexOf(words) >= 0);
      call.hidden = !on;
      shown += on;
    });
    told.textContent = shown === list.length ? '' : shown + ' of ' + list.length;
  }

  text.addEventListener('input', function () {
    clearTimeout(later);
    later = setTimeout(filter, 150);
  });
  only.addEventListener('change', filter);
  window.addEventListener('hashchange', show);
  document.addEventListener('click', function (event) {
    var link = event.target.closest && event.target.closest('a[href^="#e"]');
    if (!link || link.getAttribute('href') !== location.hash)
      return;
    event.preventDefault();
    show();
  });
  bar.style.display = 'flex';
  show();
})();
