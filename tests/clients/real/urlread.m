% Octave's urlread(), which sends a form: one call. Usage: octave-cli urlread.m URL
% SPDX-License-Identifier: MIT
[body, ok] = urlread (argv (){1}, "post", {"prompt", "From Octave"});
disp (ok), disp (body)
