LM=2 
12.5 30  
1 2	
IMAGE=a b.jpg 
ID=7 
SCALE=0.05	
