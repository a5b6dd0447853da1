lm=2
12.5 30
1 2
image=a b.jpg
id=7
scale=0.05
