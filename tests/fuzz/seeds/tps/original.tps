# head
LM=3
 10 20	5.5 

-1 -1
30.5 40.5
CURVES=1
POINTS=1
1 2
ID = 7 
MYKEY=x
IMAGE=a.jpg
SCALE=0.5

