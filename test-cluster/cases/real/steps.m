% SPDX-License-Identifier: GPL-2.0-or-later
% steps.m - matrices by the threads of BLAS, text, files; until there is ./go
1;
function result = step (n)
  a = reshape (mod ((1:40000) * (n + 3), 101), 200, 200);
  b = a * a' + 1000000 * eye (200);
  x = b \ (1:200)';
  [q, r] = qr (a(1:60, 1:60));
  [status, text] = system (sprintf ("seq 1 %d | sort -rn | head -n 1", n + 10));
  f = fopen ("part", "w");
  fprintf (f, "%d\n", a(1:20));
  fclose (f);
  s = sum (load ("part"));
  words = strsplit (sprintf ("%d ", find (isprime (1:n + 20))), " ");
  result = sprintf ("%d %.6f %d %s %d %d", sum (b(:)), sum (x), ...
    norm (q * r - a(1:60, 1:60)) < 1e-8, strtrim (text), s, numel (words));
end
seen = {};
acc = 1;
i = 0;
while (i < 30 || ! exist ("go", "file"))
  n = mod (i, 30);
  result = step (n);
  if (i < 30)
    seen{n + 1} = result;
    acc = mod (acc * 69069 + sum (double (result)), 2^31);
    printf ("%d: %s: %d\n", i, result, acc);
    fflush (stdout);
  elseif (! strcmp (seen{n + 1}, result))
    printf ("wrong: %d: %s, %s\n", n, seen{n + 1}, result);
  end
  i++;
end
printf ("end: %d\n", acc);
